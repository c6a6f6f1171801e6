/// When the pulse contradicts the emotion that voice and face tell.
///
/// The pulse model tells signs of stress (`negative`) from rest (`neutral`), and never says `positive`. So one disagreement alone
/// means something: signs of stress under a positive emotion. Rest is no objection to any emotion (sadness is calm, contentment too),
/// and stress none to a neutral face.
///
/// Both sides must be good enough to be set against each other; otherwise there is no answer, rather than a "no".
public enum Contradiction {
    /// The least probability of the emotion's label, and of the pulse's.
    public static let leastProbability = 0.6
    /// The least confidence of the heart rate that the pulse label comes with.
    public static let leastHeartRateConfidence = 0.5
    /// The least quality of its wave: a signal-to-noise ratio of 1 dB.
    public static let leastSignalQuality = 0.5
    /// The least time of a pulse window that can be judged, in nanoseconds: one clip is no more than one heartbeat.
    public static let leastJudgedNanoseconds: Int64 = 3_000_000_000

    static func isDecided(_ probabilities: Probabilities) -> Bool {
        probabilities[probabilities.mostLikely] >= leastProbability
    }

    static func isDecided(_ pulse: Probabilities, confidence: Double, signalQuality: Double) -> Bool {
        isDecided(pulse) && confidence >= leastHeartRateConfidence && signalQuality >= leastSignalQuality
    }
}

extension SecondRow {
    /// Whether the pulse of this second contradicts its emotion; nil where one of them is absent or not good enough.
    public var contradicts: Bool? {
        guard let probabilities, Contradiction.isDecided(probabilities), let pulse, let stress = pulse.probabilities,
            Contradiction.isDecided(stress, confidence: pulse.confidence, signalQuality: pulse.signalQuality)
        else { return nil }
        return stress.mostLikely == .negative && probabilities.mostLikely == .positive
    }
}

/// The final emotion windows that pulse windows to come can overlap.
struct EmotionAlongside: Sendable {
    private var windows = Queue<TimelineWindow>()

    /// - Parameter window: An emotion window, later than all before it.
    mutating func append(_ window: TimelineWindow) { windows.append(window) }

    /// No pulse window to come starts before `time`.
    mutating func forget(before time: Int64) {
        while let first = windows.first, first.endNanoseconds <= time { _ = windows.removeFirst() }
    }

    /// Whether a pulse window contradicts the emotion in it: if the emotion is positive in at least half of the time that can be judged.
    ///
    /// - Returns: nil if too little of the window can be judged.
    func isContradicted(by pulse: PulseRun, _ probabilities: Probabilities) -> Bool? {
        let share = pulse.share
        guard Contradiction.isDecided(probabilities, confidence: share.confidence, signalQuality: share.signalQuality)
        else { return nil }
        var judged: Int64 = 0
        var positive: Int64 = 0
        for position in windows.startPosition..<windows.endPosition {
            let window = windows[position]
            let overlap = min(window.endNanoseconds, pulse.end) - max(window.startNanoseconds, pulse.start)
            guard overlap > 0, Contradiction.isDecided(window.probabilities) else { continue }
            judged += overlap
            if window.label == .positive { positive += overlap }
        }
        guard judged >= Contradiction.leastJudgedNanoseconds else { return nil }
        return probabilities.mostLikely == .negative && positive * 2 >= judged
    }
}
