import Fusion

/// Everything that a session's nodes will ever say, without an order of delivery.
struct Scenario: CustomStringConvertible {
    var voice: [VoiceEvidence] = []
    var face: [FaceEvidence] = []
    var pulse: [PulseEvidence] = []
    /// Where each track ends; nil where the session has no such track.
    var trackEnds: [Lane: Int64] = [:]
    /// What is never examined.
    var losses: [Lane: [Range<Int64>]] = [:]
    var settings = FusionSettings()

    var sessionEnd: Int64 { trackEnds.values.max() ?? 0 }

    var description: String {
        var lines = ["session ends at \(sessionEnd), tracks \(trackEnds), losses \(losses), \(settings)"]
        lines += voice.map { "voice \($0.index) [\($0.startNanoseconds), \($0.endNanoseconds)) \($0.logits) \($0.personal.map { "\($0)" } ?? "")" }
        lines += face.map { "face \($0.ptsNanoseconds) \($0.logits.map { "\($0)" } ?? "-") \($0.showsViewer) \($0.isAttentive) count \($0.faceCount)" }
        lines += pulse.map {
            "pulse \($0.index) [\($0.startNanoseconds), \($0.endNanoseconds)) \($0.logits.map { "\($0)" } ?? "-") "
                + "\($0.heartRateBPM.map { "\($0)" } ?? "-")"
        }
        return lines.joined(separator: "\n")
    }
}

let windowHop: Int64 = 500_000_000
let windowLength: Int64 = 3_000_000_000
let clipLength: Int64 = 1_000_000_000

extension Scenario {
    /// A session of up to 12 s with speech, faces and pulse that come and go. Logits are multiples of 1/4, so that
    /// sums are exact, and ties do happen.
    static func random(_ random: inout Seeded) -> Scenario {
        var scenario = Scenario()
        scenario.settings = FusionSettings(
            faceWeight: random.pick([0, 0.25, 0.5, 0.5, 0.5, 1]), usesPersonalBaseline: random.chance(0.8))
        let length = random.integer(in: 0...12) * 1_000_000_000 + random.pick([0, 0, 1, 333_333_333, 999_999_999])
        for lane in Lane.allCases where random.chance(0.85) {
            scenario.trackEnds[lane] = random.chance(0.6) ? length : random.integer(in: 0...max(length, 1))
        }
        for lane in Lane.allCases where random.chance(0.15) {
            let from = random.integer(in: 0...max(length, 1))
            let to = min(from + random.integer(in: 1...3_000_000_000), scenario.sessionEnd)
            if from < to { scenario.losses[lane] = [from..<to] }
        }
        scenario.addVoice(&random)
        scenario.addFaces(&random)
        scenario.addPulse(&random)
        return scenario
    }

    private mutating func addVoice(_ random: inout Seeded) {
        guard let end = trackEnds[.voice] else { return }
        let density = random.pick([0.2, 0.6, 1])
        var mood = random.mood()
        let baseline = random.chance(0.5) ? random.baseline() : nil
        var index: Int64 = 0
        while index * windowHop < max(end - windowLength, 1), end > 0 {
            defer { index += 1 }
            let windowStart = index * windowHop
            let latest = min(windowStart + windowLength, end)
            guard latest > windowStart, !isLost(.voice, windowStart), random.chance(density) else { continue }
            if random.chance(0.3) { mood = random.mood() }
            let start = random.chance(0.5) ? windowStart : random.integer(in: windowStart...(latest - 1))
            let stop = random.chance(0.5) ? latest : random.integer(in: (start + 1)...latest)
            voice.append(
                VoiceEvidence(
                    index: index, startNanoseconds: start, endNanoseconds: stop, logits: random.logits(mood),
                    personal: baseline.map { .init(relativeLogits: random.logits(random.mood()), baseline: $0) },
                    energyDBFS: Float(-random.integer(in: 1...60))))
        }
    }

    private mutating func addFaces(_ random: inout Seeded) {
        guard let end = trackEnds[.face] else { return }
        let step = random.pick([40_000_000, 100_000_000, 250_000_000, 300_000_000, 400_000_000, 900_000_000] as [Int64])
        let jitter = random.chance(0.5) ? step / 3 : 0
        var pts = random.chance(0.7) ? 0 : random.integer(in: 0...1_000_000_000)
        var mood = random.mood()
        var visible = random.chance(0.7)
        while pts < end {
            if random.chance(0.1) { mood = random.mood() }
            if random.chance(0.08) { visible.toggle() }
            if !isLost(.face, pts) {
                face.append(
                    FaceEvidence(
                        ptsNanoseconds: pts, durationNanoseconds: random.chance(0.5) ? step : nil,
                        logits: visible ? random.logits(mood) : nil, showsViewer: visible || random.chance(0.2),
                        isAttentive: visible && random.chance(0.7), faceCount: visible ? 1 : 0))
            }
            pts += max(1, step + (jitter > 0 ? random.integer(in: -jitter...jitter) : 0))
            if random.chance(0.02) { pts += 1_000_000_000 }
        }
    }

    private mutating func addPulse(_ random: inout Seeded) {
        guard let end = trackEnds[.pulse] else { return }
        var index: Int64 = 0
        var mood = random.mood()
        while index * clipLength < end {
            defer { index += 1 }
            if random.chance(0.3) { mood = random.mood() }
            guard !isLost(.pulse, index * clipLength), random.chance(0.9) else { continue }
            let isKnown = random.chance(0.7)
            pulse.append(
                PulseEvidence(
                    index: index, startNanoseconds: index * clipLength, endNanoseconds: min((index + 1) * clipLength, end),
                    heartRateBPM: isKnown ? Double(random.integer(in: 50...110)) : nil,
                    confidence: isKnown ? random.pick([0.25, 0.5, 0.75, 1]) : 0,
                    signalQuality: random.pick([0.25, 0.5, 0.75]),
                    logits: isKnown && random.chance(0.9) ? random.logits(mood) : nil,
                    personal: isKnown && random.chance(0.5)
                        ? PersonalEvidence(
                            relativeLogits: random.logits(mood),
                            baseline: PersonalBaseline(
                                populationMeanRelativeLogits: [0, 0, 0.5], bias: [0, 0, 0.25], shrinkageWindows: 2, mixingWindows: 4))
                        : nil))
        }
    }

    func isLost(_ lane: Lane, _ moment: Int64) -> Bool { (losses[lane] ?? []).contains { $0.contains(moment) } }
}

/// SplitMix64: small, seeded, the same everywhere.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func integer(in range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &self) }
    mutating func chance(_ probability: Double) -> Bool { Double.random(in: 0..<1, using: &self) < probability }
    mutating func pick<T>(_ choices: [T]) -> T { choices[Int.random(in: 0..<choices.count, using: &self)] }
    mutating func mood() -> Int { Int.random(in: 0..<3, using: &self) }

    /// Constants of a personal baseline, often of the extremes.
    mutating func baseline() -> PersonalBaseline {
        PersonalBaseline(
            populationMeanRelativeLogits: logits(mood()), bias: logits(mood()), shrinkageWindows: pick([0, 0.5, 4, 100]),
            mixingWindows: pick([0, 1, 8, 1000]))
    }

    /// Mostly the given emotion's.
    mutating func logits(_ mood: Int) -> [Float] {
        (0..<3).map { Float(Int.random(in: -8...8, using: &self)) / 4 + ($0 == mood ? 2 : 0) }
    }
}
