import Inference

/// Tells signs of stress from the heart rate, set against what it has been so far: a model of one number, whose relative logits mean
/// something only beside their mean over the session (`ModelBaseline`).
///
/// What it was trained on and how far it can be believed is on the model's card.
public struct HeartRateModel: PulseClassifier {
    public let baseline: ModelBaseline?
    private let model: CompiledModel

    private struct Settings: Decodable {
        var baseline: ModelBaseline
    }

    /// - Parameter folder: A model of task `pulse`, whose input is [batch, 1], a heart rate in beats a minute, with two outputs: logits and
    ///   relative logits; its card's settings hold a `baseline`.
    /// - Throws: `InferenceError` if the weights or the card do not fit.
    public init(folder: ModelFolder) throws(InferenceError) {
        func fail(_ detail: String) -> InferenceError { InferenceError(.invalidCard, path: folder.path, detail: detail) }
        guard folder.card.task == .pulse else { throw fail("a model for \(folder.card.task.rawValue), not for the pulse") }
        let baseline = try folder.settings(Settings.self).baseline
        guard baseline.isValid else { throw fail("settings.baseline is out of range") }
        self.baseline = baseline
        model = try folder.compile(threadCount: 1)
        guard folder.card.input.shape == [-1, 1], model.outputs.count == 2 else {
            throw fail("a model of the heart rate takes [-1, 1] and gives two outputs, not \(folder.card.input.shape) and \(model.outputs.count)")
        }
    }

    public func judge(heartRateBPM: Double, wave: [Double], rateHz: Double) throws -> ModelLogits? {
        let outputs = try model.run([Tensor(shape: [1, 1], values: [Float(heartRateBPM)])]).map(\.values)
        for logits in outputs where logits.count != ModelCard.labels.count { throw PulseError.wrongLogits(count: logits.count) }
        return ModelLogits(plain: outputs[0], relative: outputs[1])
    }
}
