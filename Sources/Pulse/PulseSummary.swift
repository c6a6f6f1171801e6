/// The heart rate of a whole recording.
public struct PulseSummary: Sendable, Equatable {
    /// The median of the heart rates of the clips, weighed by their confidence; nil unless enough of them are known.
    public var heartRateBPM: Double?
    /// The mean confidence of the clips whose heart rate is known, times the share of them among those that could be judged; 0...1.
    public var confidence: Double
    /// The most frequent reason of the clips without one; nil if there is a heart rate.
    public var unknownReason: PulseUnknownReason?

    /// A recording is known if a fifth of the clips that had enough skin to be judged are.
    public static let leastKnownShare = 0.2

    public init(of clips: [PulseClip]) {
        let judged = clips.count { $0.estimate != nil }
        let known = clips.compactMap { clip in clip.heartRateBPM.map { (rate: $0, weight: clip.confidence) } }
            .sorted { $0.rate < $1.rate }
        guard judged > 0, Double(known.count) >= Self.leastKnownShare * Double(judged), !known.isEmpty else {
            heartRateBPM = nil
            confidence = 0
            let reasons = clips.filter { judged == 0 || $0.estimate != nil }.compactMap(\.unknownReason)
            unknownReason =
                PulseUnknownReason.allCases.max { first, second in
                    reasons.count { $0 == first } < reasons.count { $0 == second }
                }.flatMap { reason in reasons.contains(reason) ? reason : nil } ?? .tooShort
            return
        }
        let total = known.reduce(0) { $0 + $1.weight }
        var below = 0.0
        heartRateBPM =
            known.first { entry in
                below += entry.weight
                return below >= total / 2
            }?.rate
        confidence = total / Double(judged)
        unknownReason = nil
    }
}
