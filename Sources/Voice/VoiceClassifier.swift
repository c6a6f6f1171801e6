import Foundation

/// Turns speech into logits in two steps, so that the windows of a batch share one call of the network.
public protocol VoiceClassifier: AnyObject {
    /// - Parameters:
    ///   - window: the samples of one window, `VoiceSettings.windowSamples` of them.
    ///   - speech: the bounds of its speech part.
    /// - Returns: what the network takes for it.
    func features(of window: UnsafeBufferPointer<Float>, speech: Range<Int>) throws -> VoiceFeatures

    /// - Returns: for each window, in the same order, three logits in the order of `VoiceClass`. They do not depend on what
    ///   else is in the batch.
    func logits(of batch: [VoiceFeatures]) throws -> [[Float]]
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
