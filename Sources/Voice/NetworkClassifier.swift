import Inference

/// A voice network from a model folder: its front end in this library, its weights in OpenVINO.
///
/// The card's `settings` say which front end: `{"features": "mfcc", "mfcc": {...}}` or
/// `{"features": "logMel", "logMel": {...}}`, with `sampleRateHz` and `windowSamples` of the windows.
public final class NetworkClassifier: VoiceClassifier {
    /// What the model folder says about itself.
    public let card: ModelCard
    public let baseline: ModelBaseline?

    private let model: CompiledModel
    private let makeFrontEnd: () throws -> VoiceFrontEnd
    private let weighsSpeech: Bool
    private let imageShape: [Int]
    /// Some networks are exported for single windows, as they would give other bits in a batch.
    private let takesBatches: Bool

    /// - Throws: `InferenceError` for a folder or weights that cannot be loaded, `VoiceError` for a model that is not made
    ///   for these windows.
    public init(
        folder: ModelFolder, settings: VoiceSettings = .init(), threadCount: Int = 1, precision: Precision = .f32
    ) throws {
        let frontEnd = try VoiceFrontEnd(folder: folder, settings: settings)
        let model = try folder.compile(threadCount: threadCount, precision: precision)
        guard let input = model.inputs.first?.shape, input.dropFirst().filter({ $0 != 1 }) == frontEnd.shape else {
            throw VoiceError(
                .unusableModel, "\(folder.path): the network takes \(model.inputs.first?.shape ?? []), its front end makes \(frontEnd.shape)")
        }
        guard model.inputs.count == (frontEnd.weighsSpeech ? 2 : 1) else {
            throw VoiceError(.unusableModel, "\(folder.path): the network has \(model.inputs.count) inputs")
        }
        let baseline = try folder.settings(VoiceModelSettings.self).baseline
        if let baseline {
            guard baseline.isValid else { throw VoiceError(.unusableModel, "\(folder.path): settings.baseline is out of range") }
            guard model.outputs.count == 2 else {
                throw VoiceError(.unusableModel, "\(folder.path) has settings.baseline, but its network has no relative_logits as second output")
            }
        }
        self.baseline = baseline
        card = folder.card
        imageShape = Array(input.dropFirst())
        takesBatches = input.first != 1
        makeFrontEnd = { try VoiceFrontEnd(folder: folder, settings: settings) }
        weighsSpeech = frontEnd.weighsSpeech
        self.model = model
    }

    public func makeExtractor() throws -> any VoiceFeatureExtractor { try makeFrontEnd() }

    public func logits(of batch: [VoiceFeatures]) throws -> [ModelLogits] {
        guard !batch.isEmpty else { return [] }
        guard takesBatches || batch.count == 1 else { return try batch.flatMap { try logits(of: [$0]) } }
        var inputs = [Tensor(shape: [batch.count] + imageShape, values: batch.flatMap(\.image))]
        if weighsSpeech {
            let weights = batch.flatMap { $0.speechWeights ?? [] }
            inputs.append(Tensor(shape: [batch.count, weights.count / batch.count], values: weights))
        }
        let classes = VoiceClass.allCases.count
        let outputs = try model.run(inputs).prefix(baseline == nil ? 1 : 2).map(\.values)
        guard let plain = outputs.first, outputs.allSatisfy({ $0.count == batch.count * classes }) else {
            throw VoiceError(.badClassifier, "\(card.name) gave no \(classes) logits for each of \(batch.count) windows")
        }
        return batch.indices.map { window in
            let part = window * classes..<(window + 1) * classes
            return ModelLogits(plain: Array(plain[part]), relative: outputs.count == 2 ? Array(outputs[1][part]) : nil)
        }
    }
}

/// The features of a model folder, ready for its network: what training is fed with too.
public final class VoiceFrontEnd: VoiceFeatureExtractor {
    private enum Extractor {
        case mfcc(CepstralExtractor)
        case logMel(LogMelExtractor)
    }

    /// Rows, columns of an image.
    public let shape: [Int]
    /// Whether the network also takes `VoiceFeatures.speechWeights`.
    public let weighsSpeech: Bool

    private let extractor: Extractor
    private let normalisation: ModelCard.Normalisation?

    /// The front end of a model folder, with its normalisation.
    public convenience init(folder: ModelFolder, settings: VoiceSettings) throws {
        guard folder.card.task == .voice else {
            throw VoiceError(.unusableModel, "\(folder.path) is a model for \(folder.card.task), not for the voice")
        }
        let card = try folder.settings(VoiceModelSettings.self)
        guard card.sampleRateHz == settings.sampleRateHz, card.windowSamples == settings.windowSamples else {
            throw VoiceError(
                .unusableModel, "\(folder.path) was trained on windows of \(card.windowSamples) samples at \(card.sampleRateHz) Hz")
        }
        try self.init(features: card.features, settings: settings, normalisation: folder.card.input.normalisation)
    }

    /// The front end alone, to make the features that a network is trained with.
    ///
    /// - Parameter normalisation: one mean and deviation for all values, or one for each row.
    public init(
        features: VoiceModelSettings.Features, settings: VoiceSettings, normalisation: ModelCard.Normalisation? = nil
    ) throws(VoiceError) {
        switch features {
        case .mfcc(let mfcc):
            let extractor = try CepstralExtractor(
                settings: mfcc, sampleRateHz: settings.sampleRateHz, windowSamples: settings.windowSamples)
            shape = extractor.shape
            weighsSpeech = false
            self.extractor = .mfcc(extractor)
        case .logMel(let logMel):
            let extractor = try LogMelExtractor(
                settings: logMel, sampleRateHz: settings.sampleRateHz, windowSamples: settings.windowSamples)
            shape = extractor.shape
            weighsSpeech = true
            self.extractor = .logMel(extractor)
        }
        if let normalisation, ![1, shape[0]].contains(normalisation.mean.count) || normalisation.standardDeviation.count != normalisation.mean.count {
            throw VoiceError(.unusableModel, "normalisation has \(normalisation.mean.count) means for \(shape[0]) rows")
        }
        self.normalisation = normalisation
    }

    public func features(of window: UnsafeBufferPointer<Float>, startSample: Int64, speech: Range<Int>) -> VoiceFeatures {
        switch extractor {
        case .mfcc(let extractor):
            VoiceFeatures(image: normalised(extractor.extract(window, speech: speech)))
        case .logMel(let extractor):
            VoiceFeatures(
                image: normalised(extractor.extract(window, startSample: startSample)), speechWeights: extractor.speechWeights(of: speech))
        }
    }

    private func normalised(_ image: consuming [Float]) -> [Float] {
        guard let normalisation else { return image }
        let columns = shape[1]
        for row in 0..<shape[0] {
            let channel = normalisation.mean.count == 1 ? 0 : row
            let (mean, deviation) = (normalisation.mean[channel], normalisation.standardDeviation[channel])
            for i in row * columns..<(row + 1) * columns { image[i] = (image[i] - mean) / deviation }
        }
        return image
    }
}

/// The `settings` of a voice model's card.
public struct VoiceModelSettings: Sendable, Equatable, Decodable {
    public enum Features: Sendable, Equatable {
        case mfcc(CepstralSettings)
        case logMel(LogMelSettings)
    }

    public var sampleRateHz: Int
    public var windowSamples: Int
    public var features: Features
    /// Of networks with a personal baseline.
    public var baseline: ModelBaseline?

    private enum CodingKeys: CodingKey { case sampleRateHz, windowSamples, features, mfcc, logMel, baseline }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        sampleRateHz = try container.decode(Int.self, forKey: .sampleRateHz)
        windowSamples = try container.decode(Int.self, forKey: .windowSamples)
        baseline = try container.decodeIfPresent(ModelBaseline.self, forKey: .baseline)
        switch try container.decode(String.self, forKey: .features) {
        case "mfcc": features = .mfcc(try container.decode(CepstralSettings.self, forKey: .mfcc))
        case "logMel": features = .logMel(try container.decode(LogMelSettings.self, forKey: .logMel))
        case let other:
            throw DecodingError.dataCorruptedError(
                forKey: .features, in: container, debugDescription: "\"features\" must be mfcc or logMel, not \(other)")
        }
    }
}
