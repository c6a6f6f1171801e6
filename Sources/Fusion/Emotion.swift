#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// What a viewer's reaction is called. The raw value is the position in every vector of logits or probabilities.
public enum Emotion: Int, Sendable, Codable, CaseIterable, CustomStringConvertible {
    case positive = 0
    case neutral = 1
    case negative = 2

    /// `"positive"`, `"neutral"` or `"negative"`: as written in files and on the wire.
    public var description: String {
        switch self {
        case .positive: "positive"
        case .neutral: "neutral"
        case .negative: "negative"
        }
    }
}

/// The probability of each emotion, each in 0...1, summing to 1 but for rounding.
public struct Probabilities: Sendable, Hashable, Codable {
    public let positive: Double
    public let neutral: Double
    public let negative: Double

    public init(positive: Double, neutral: Double, negative: Double) {
        self.positive = positive
        self.neutral = neutral
        self.negative = negative
    }

    public subscript(_ emotion: Emotion) -> Double {
        switch emotion {
        case .positive: positive
        case .neutral: neutral
        case .negative: negative
        }
    }

    /// The emotion with the highest probability; among equals the first in the order positive, neutral, negative.
    public var mostLikely: Emotion { Emotion(largestOf: vector) }

    /// P(positive) - P(negative), in -1...1.
    public var valence: Double { positive - negative }
}

extension Probabilities {
    init(_ vector: SIMD3<Double>) {
        self.init(positive: vector.x, neutral: vector.y, negative: vector.z)
    }

    /// Softmax, with the largest logit subtracted first so that no exponential overflows.
    init(softmaxOf logits: SIMD3<Double>) {
        let shifted = logits - logits.max()
        let exponentials = SIMD3(exp(shifted.x), exp(shifted.y), exp(shifted.z))
        self.init(exponentials / (exponentials.x + exponentials.y + exponentials.z))
    }

    var vector: SIMD3<Double> { SIMD3(positive, neutral, negative) }
}

extension Emotion {
    /// The position of the largest of three numbers; the first among equals.
    init(largestOf vector: SIMD3<Double>) {
        if vector.x >= vector.y && vector.x >= vector.z {
            self = .positive
        } else {
            self = vector.y >= vector.z ? .neutral : .negative
        }
    }
}
