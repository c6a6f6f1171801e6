import Inference

/// Tells an emotion cue from a pulse.
public protocol PulseClassifier: Sendable {
    /// The constants of its personal baseline; nil for a model without one.
    var baseline: ModelBaseline? { get }

    /// - Parameters:
    ///   - heartRateBPM: Over the seconds of the wave.
    ///   - wave: The blood volume wave of some seconds that end with the clip to judge.
    ///   - rateHz: Points of it in a second.
    /// - Returns: nil if the clip cannot be judged.
    func judge(heartRateBPM: Double, wave: [Double], rateHz: Double) throws -> ModelLogits?
}

extension PulseClassifier {
    public var baseline: ModelBaseline? { nil }
}

/// The model of a folder, whichever kind it is.
///
/// - Parameter precision: What a network computes in; a model of the heart rate is no more than a product, and stays with f32.
/// - Throws: `InferenceError` if the weights or the card do not fit, `PulseError.invalidSettings`.
public func pulseClassifier(folder: ModelFolder, precision: Precision = .f32) throws -> any PulseClassifier {
    folder.card.input.shape.count == 2 ? try HeartRateModel(folder: folder) : try PPGNetwork(folder: folder, precision: precision)
}
