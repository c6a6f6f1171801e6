/// What a model says of one window or clip, in the order of `ModelCard.labels`.
public struct ModelLogits: Sendable, Equatable {
    /// Three, of the window alone.
    public var plain: [Float]
    /// Three, before what is usual for the person is taken off; nil for a model without a personal baseline.
    public var relative: [Float]?

    public init(plain: [Float], relative: [Float]? = nil) {
        self.plain = plain
        self.relative = relative
    }
}

/// A card's `settings.baseline`: the constants with which a model's relative logits, its second output, become a person's own. The formula
/// is `PersonalBaseline`'s, in Fusion.
public struct ModelBaseline: Sendable, Equatable, Decodable {
    /// Three: the relative logits of people in general.
    public var populationMeanRelativeLogits: [Float]
    /// Three, added to the relative logits once what is usual has been taken off.
    public var bias: [Float]
    /// Windows of the person whose mean weighs as much as the population's.
    public var shrinkageWindows: Float
    /// Windows of the person at which personal and plain logits weigh the same.
    public var mixingWindows: Float

    public init(populationMeanRelativeLogits: [Float], bias: [Float], shrinkageWindows: Float, mixingWindows: Float) {
        self.populationMeanRelativeLogits = populationMeanRelativeLogits
        self.bias = bias
        self.shrinkageWindows = shrinkageWindows
        self.mixingWindows = mixingWindows
    }

    /// Whether the numbers are as many as they must be, and in range.
    public var isValid: Bool {
        populationMeanRelativeLogits.count == ModelCard.labels.count && bias.count == ModelCard.labels.count
            && (populationMeanRelativeLogits + bias).allSatisfy(\.isFinite)
            && (0...1e9).contains(shrinkageWindows) && (0...1e9).contains(mixingWindows)
    }
}
