import Inference

/// The PPG network of a model folder: hears stress in a single pulse.
///
/// What it was trained on and how far it can be believed is on the model's card.
public struct PPGNetwork: PulseClassifier {
    private let model: CompiledModel
    private let extractor: PPGFeatureExtractor

    /// - Parameter folder: A model of task `pulse`, whose input is [batch, 3, clip samples] and whose card's settings are
    ///   `PPGFeatureSettings`.
    /// - Throws: `InferenceError` if the weights or the card do not fit, `PulseError.invalidSettings`.
    public init(folder: ModelFolder, precision: Precision = .f32) throws {
        guard folder.card.task == .pulse else {
            throw InferenceError(
                .invalidCard, path: folder.path, detail: "a model for \(folder.card.task.rawValue), not for the pulse")
        }
        extractor = try PPGFeatureExtractor(settings: try folder.settings(PPGFeatureSettings.self))
        model = try folder.compile(threadCount: 1, precision: precision)
    }

    /// - Returns: nil if the last second of the wave does not hold a single clean pulse, or the wave is shorter than the
    ///   network's window.
    public func judge(heartRateBPM: Double, wave: [Double], rateHz: Double) throws -> ModelLogits? {
        let times = wave.indices.map { Double($0 - wave.count) / rateHz }
        guard let clip = try extractor.clip(values: wave, timesSeconds: times, endSeconds: 0), clip.isSinglePulse else {
            return nil
        }
        return ModelLogits(plain: try logits(channels: extractor.channels(of: clip.signal)))
    }

    /// - Parameter channels: As `PPGFeatureExtractor.channels` gives them.
    /// - Returns: Three logits: positive, neutral, negative.
    public func logits(channels: [Double]) throws -> [Float] {
        let input = Tensor(shape: [1, 3, channels.count / 3], values: channels.map(Float.init))
        let logits = try model.run([input]).first?.values ?? []
        guard logits.count == 3 else { throw PulseError.wrongLogits(count: logits.count) }
        return logits
    }
}
