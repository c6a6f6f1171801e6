import Inference
import Media

#if canImport(Glibc)
import Glibc
#endif

/// Names the expression of a face: a network from a model folder, its input made as its card says.
///
/// Takes networks with a grey or an RGB input of any square size, with or without emotions beside the three classes, so a
/// user's own model is one more folder.
public final class ExpressionClassifier: Sendable {
    /// The side of the network's input, in pixels.
    public let inputSize: Int
    /// What the model card says of the network.
    public let card: ModelCard
    /// The labels of `FaceExpression.emotionLogits`, in order; empty if the network does not tell them.
    public let emotions: [String]
    /// What the network computes in.
    public var precision: Precision { model.precision }

    private let model: CompiledModel
    private let channelCount: Int
    private let mean: [Float]
    private let standardDeviation: [Float]

    private struct Settings: Decodable {
        var emotions: [String]?
    }

    /// - Throws: `InferenceError` if the folder holds no face network that fits its card.
    public init(folder: ModelFolder, threadCount: Int = 1, precision: Precision = .f32) throws(InferenceError) {
        func fail(_ detail: String) -> InferenceError { InferenceError(.invalidCard, path: folder.path, detail: detail) }

        card = folder.card
        guard card.task == .face else { throw fail("this model is for \(card.task.rawValue), not for faces") }
        let shape = card.input.shape
        guard shape.count == 4, [-1, 1].contains(shape[0]), [1, 3].contains(shape[1]), shape[2] == shape[3], (8...1024).contains(shape[2]) else {
            throw fail("\"input.shape\" must be [1 or -1, 1 or 3 channels, size, size], not \(shape)")
        }
        channelCount = shape[1]
        inputSize = shape[2]
        let normalisation = card.input.normalisation
        let mean = normalisation?.mean ?? [0]
        let standardDeviation = normalisation?.standardDeviation ?? [1]
        guard [1, channelCount].contains(mean.count), standardDeviation.count == mean.count else {
            throw fail("\"input.normalisation\" must hold one number, or one for each of \(channelCount) channels")
        }
        self.mean = (0..<shape[1]).map { mean[mean.count == 1 ? 0 : $0] }
        self.standardDeviation = (0..<shape[1]).map { standardDeviation[mean.count == 1 ? 0 : $0] }
        model = try folder.compile(threadCount: threadCount, precision: precision)
        emotions = try folder.settings(Settings.self).emotions ?? []
        if !emotions.isEmpty {
            guard model.outputs.count > 1, let size = model.outputs[1].shape?.last, size == -1 || size == emotions.count else {
                throw fail("\"settings.emotions\" needs a second output with \(emotions.count) numbers")
            }
        }
    }

    /// The expressions of faces in pictures.
    ///
    /// - Parameters:
    ///   - pictures: One picture for each face.
    ///   - areas: The part of each picture that is the face, as `FaceFraming` gives it.
    /// - Throws: `InferenceError`, or what a picture throws.
    public func classify(_ pictures: [some PictureSource], areas: [RotatedRectangle]) throws -> [FaceExpression] {
        try classify(zip(pictures, areas).map { try crop($0, area: $1) })
    }

    /// The picture that the network is shown of an area.
    public func crop(_ picture: some PictureSource, area: RotatedRectangle) throws -> RGBImage {
        try picture.crop(area, outputWidth: inputSize, outputHeight: inputSize)
    }

    /// The expressions on crops of `inputSize` x `inputSize` pixels: in one run of the network if its batch is open, one by
    /// one if it takes single pictures. The numbers are the same.
    public func classify(_ crops: [RGBImage]) throws(InferenceError) -> [FaceExpression] {
        guard card.input.shape[0] == 1 else { return try classify(batch: crops) }
        var expressions: [FaceExpression] = []
        for crop in crops { expressions += try classify(batch: [crop]) }
        return expressions
    }

    private func classify(batch crops: [RGBImage]) throws(InferenceError) -> [FaceExpression] {
        guard !crops.isEmpty else { return [] }
        let pixelCount = inputSize * inputSize
        var values: [Float] = []
        values.reserveCapacity(crops.count * channelCount * pixelCount)
        for crop in crops {
            guard crop.width == inputSize, crop.height == inputSize else {
                throw InferenceError(
                    .wrongShape, path: model.path,
                    detail: "a crop has \(crop.width) x \(crop.height) pixels, not \(inputSize) x \(inputSize)")
            }
            appendStandardised(crop, to: &values)
        }
        let results = try model.run([Tensor(shape: [crops.count, channelCount, inputSize, inputSize], values: values)])
        // Outputs whose shape the file leaves open; of no emotions, the second is not read.
        for (tensor, size) in zip(results, [ModelCard.labels.count, emotions.count]) where size > 0 && tensor.values.count != crops.count * size {
            throw InferenceError(
                .wrongShape, path: model.path, detail: "gives \(tensor.values.count) numbers for \(crops.count) faces, not \(size) each")
        }
        return crops.indices.map { index in
            func row(_ tensor: Tensor, _ size: Int) -> [Float] { Array(tensor.values[index * size..<(index + 1) * size]) }
            return FaceExpression(
                logits: row(results[0], ModelCard.labels.count),
                emotionLogits: emotions.isEmpty ? [] : row(results[1], emotions.count))
        }
    }

    /// Channel by channel, 0-1, less the mean, over the standard deviation.
    private func appendStandardised(_ crop: RGBImage, to values: inout [Float]) {
        if channelCount == 1 {
            let (mean, scale) = (mean[0], 1 / standardDeviation[0])
            values.append(contentsOf: GreyImage(crop).pixels.lazy.map { (Float($0) / 255 - mean) * scale })
        } else {
            for channel in 0..<channelCount {
                let (mean, scale) = (mean[channel], 1 / standardDeviation[channel])
                for pixel in 0..<inputSize * inputSize {
                    values.append((Float(crop.pixels[3 * pixel + channel]) / 255 - mean) * scale)
                }
            }
        }
    }
}

/// What the network says of one face.
public struct FaceExpression: Sendable, Equatable {
    /// Positive, neutral, negative: calibrated, so their softmax is a probability.
    public var logits: [Float]
    /// FER+ emotions in the order of `ExpressionClassifier.emotions`; empty if the network does not tell them.
    public var emotionLogits: [Float]

    public init(logits: [Float], emotionLogits: [Float]) {
        self.logits = logits
        self.emotionLogits = emotionLogits
    }

    /// Positive, neutral, negative; they add up to 1.
    public var probabilities: [Double] { Self.softmax(logits) }
    /// As `emotionLogits`.
    public var emotionProbabilities: [Double] { Self.softmax(emotionLogits) }

    private static func softmax(_ logits: [Float]) -> [Double] {
        guard let largest = logits.max() else { return [] }
        let powers = logits.map { exp(Double($0) - Double(largest)) }
        let sum = powers.reduce(0, +)
        return powers.map { $0 / sum }
    }
}
