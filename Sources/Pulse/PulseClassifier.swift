/// Tells an emotion cue from a blood volume wave.
public protocol PulseClassifier: Sendable {
    /// - Parameters:
    ///   - wave: Some seconds that end with the clip to judge.
    ///   - rateHz: Points in a second.
    /// - Returns: Three logits (positive, neutral, negative), or nil if the clip does not hold a single clean pulse.
    func logits(wave: [Double], rateHz: Double) throws -> [Float]?
}
