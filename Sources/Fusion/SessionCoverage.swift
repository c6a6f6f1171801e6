/// The coverage of all lanes, and where the session ends.
struct SessionCoverage: Sendable {
    var voice = LaneCoverage()
    var face = LaneCoverage()
    var pulse = LaneCoverage()
    private var announcedEnd: Int64?
    /// The session is known to last at least this long.
    private(set) var witnessedNanoseconds: Int64 = 0

    subscript(_ lane: Lane) -> LaneCoverage {
        get {
            switch lane {
            case .voice: voice
            case .face: face
            case .pulse: pulse
            }
        }
        set {
            switch lane {
            case .voice: voice = newValue
            case .face: face = newValue
            case .pulse: pulse = newValue
            }
        }
    }

    /// Where the session ends, once that has been told.
    var sessionEndNanoseconds: Int64? { announcedEnd.map { max($0, witnessedNanoseconds) } }

    mutating func endSession(at end: Int64) {
        if announcedEnd == nil { announcedEnd = end }
    }

    /// The session lasts at least until `moment`.
    mutating func witness(_ moment: Int64) {
        witnessedNanoseconds = max(witnessedNanoseconds, moment)
    }

    /// Coverage is told in whole windows and clips, so that its end may pass the session's by up to a clip.
    mutating func witnessCover(endingAt end: Int64) {
        witness(end - nanosecondsPerSecond)
    }

    /// Everything of a lane that starts before its frontier is known. Nothing starts past the session's end.
    func frontier(_ lane: Lane) -> Int64 {
        let frontier = self[lane].frontierNanoseconds
        if let sessionEndNanoseconds, frontier >= sessionEndNanoseconds { return endOfTime }
        return frontier
    }

    var frontiers: Frontiers { Frontiers(voice: frontier(.voice), face: frontier(.face), pulse: frontier(.pulse)) }

    func missing(_ lanes: [Lane], from start: Int64, to end: Int64) -> [Lane] {
        lanes.filter { self[$0].isMissing(from: start, to: end) }
    }

    /// Whether a missing lane may still deliver something that ends after `moment`.
    func hasAmendableLoss(after moment: Int64) -> Bool {
        Lane.allCases.contains { self[$0].losses.contains { $0.reason == .missing && $0.end > moment } }
    }

    mutating func forgetLosses(before moment: Int64) {
        voice.forgetLosses(before: moment)
        face.forgetLosses(before: moment)
        pulse.forgetLosses(before: moment)
    }
}

/// Up to where each lane is known without a hole.
struct Frontiers: Sendable, Equatable {
    var voice: Int64
    var face: Int64
    var pulse: Int64

    /// Nothing else will come.
    static let infinite = Frontiers(voice: endOfTime, face: endOfTime, pulse: endOfTime)
}
