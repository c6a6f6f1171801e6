import Inference

import Foundation

/// Turns speech into logits in two steps, so that the windows of a batch share one call of the network.
public protocol VoiceClassifier: AnyObject {
    /// The constants of its personal baseline; nil for a network without one.
    var baseline: ModelBaseline? { get }

    /// What makes features of the windows of one stream.
    func makeExtractor() throws -> any VoiceFeatureExtractor

    /// - Returns: for each window, in the same order, its logits. They do not depend on what else is in the batch.
    func logits(of batch: [VoiceFeatures]) throws -> [ModelLogits]
}

/// Makes what a network takes of the windows of one stream. It may keep what windows that overlap have in common; the features
/// of a window are the same, bit for bit, whichever windows came before.
public protocol VoiceFeatureExtractor: AnyObject {
    /// - Parameters:
    ///   - window: the samples of one window, `VoiceSettings.windowSamples` of them.
    ///   - startSample: its place in the stream, after that of the window before.
    ///   - speech: the bounds of its speech part.
    func features(of window: UnsafeBufferPointer<Float>, startSample: Int64, speech: Range<Int>) throws -> VoiceFeatures
}

extension VoiceClassifier {
    public var baseline: ModelBaseline? { nil }
}

/// What a network takes for one window.
public struct VoiceFeatures: Sendable, Equatable {
    /// The feature image, row-major; its shape is the extractor's `shape`.
    public var image: [Float]
    /// For networks that pool over speech only: the weight of each output step in the mean, adding up to 1.
    public var speechWeights: [Float]?

    public init(image: [Float], speechWeights: [Float]? = nil) {
        self.image = image
        self.speechWeights = speechWeights
    }
}

/// Softmax, safe for large logits.
public func softmax(_ logits: [Float]) -> [Float] {
    let largest = logits.max() ?? 0
    let exponentials = logits.map { expf($0 - largest) }
    let sum = exponentials.reduce(0, +)
    return exponentials.map { $0 / sum }
}
