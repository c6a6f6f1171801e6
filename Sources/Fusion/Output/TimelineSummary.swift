/// What a session comes to, over its whole length.
public struct TimelineSummary: Sendable, Equatable {
    public let lengthNanoseconds: Int64
    /// Time that each emotion has in the emotion timeline.
    public let emotionNanoseconds: [Emotion: Int64]
    /// Time that each lane has windows for.
    public let laneNanoseconds: [TimelineLane: Int64]
    /// Over the seconds that know it; nil where none does.
    public let heartRate: HeartRate?
    /// The pulse windows that contradict the emotion in them: how many, and their time.
    public let contradictionCount: Int
    public let contradictionNanoseconds: Int64
    /// Seconds of which something was lost or absent, by lane.
    public let missingSecondCounts: [Lane: Int]
    public let secondCount: Int

    public struct HeartRate: Sendable, Equatable {
        public let meanBPM: Double
        public let lowestBPM: Double
        public let highestBPM: Double
        public let meanConfidence: Double
        public let secondCount: Int
    }

    /// Time with an emotion, from whatever lane.
    public var toldNanoseconds: Int64 { emotionNanoseconds.values.reduce(0, Self.sum) }

    /// Windows should not overlap, but they may come from outside.
    private static func sum(_ a: Int64, _ b: Int64) -> Int64 {
        let (sum, overflows) = a.addingReportingOverflow(b)
        return overflows ? .max : sum
    }

    public init(_ timeline: Timeline) {
        lengthNanoseconds = timeline.lengthNanoseconds
        var emotions: [Emotion: Int64] = [:]
        var lanes: [TimelineLane: Int64] = [:]
        for window in timeline.windows {
            let length = window.endNanoseconds - window.startNanoseconds
            lanes[window.lane] = Self.sum(lanes[window.lane] ?? 0, length)
            if window.lane.isEmotion { emotions[window.label] = Self.sum(emotions[window.label] ?? 0, length) }
        }
        emotionNanoseconds = emotions
        laneNanoseconds = lanes
        let contradicting = timeline.windows.filter { $0.pulse?.contradicts == true }
        contradictionCount = contradicting.count
        contradictionNanoseconds = contradicting.map { $0.endNanoseconds - $0.startNanoseconds }.reduce(0, Self.sum)
        let rows = timeline.rows
        secondCount = rows.count
        missingSecondCounts = Dictionary(
            uniqueKeysWithValues: Lane.allCases.map { lane in (lane, rows.count { $0.missing.contains(lane) }) })
        heartRate = HeartRate(rows.compactMap { row in row.pulse?.heartRateBPM.map { ($0, row.pulse?.confidence ?? 0) } })
    }

    /// A time as a share of the session, 0...1.
    public func share(_ nanoseconds: Int64) -> Double {
        lengthNanoseconds > 0 ? min(1, Double(nanoseconds) / Double(lengthNanoseconds)) : 0
    }
}

extension TimelineSummary.HeartRate {
    init?(_ measured: [(bpm: Double, confidence: Double)]) {
        guard let lowest = measured.map(\.bpm).min(), let highest = measured.map(\.bpm).max() else { return nil }
        let count = Double(measured.count)
        self.init(
            meanBPM: measured.map(\.bpm).reduce(0, +) / count, lowestBPM: lowest, highestBPM: highest,
            meanConfidence: measured.map(\.confidence).reduce(0, +) / count, secondCount: measured.count)
    }
}
