/// A model's constants for telling a person's emotion from what is usual for this person.
///
/// Voices differ more from one another than by mood, and so do hearts. A model that is made for it gives *relative* logits beside the
/// plain ones; their mean over what a person has said so far (or over how the heart has beaten) is taken off, and the more of it is
/// known, the more the result counts.
public struct PersonalBaseline: Sendable, Equatable, Codable {
    /// The relative logits of people in general; three.
    public let populationMeanRelativeLogits: [Float]
    /// Three, added to the relative logits once what is usual has been taken off.
    public let bias: [Float]
    /// Windows of speech, or clips of the pulse, whose mean weighs as much as the population's, 0 or more.
    public let shrinkageWindows: Float
    /// Likewise, at which personal and plain logits weigh the same, 0 or more.
    public let mixingWindows: Float

    public init(populationMeanRelativeLogits: [Float], bias: [Float], shrinkageWindows: Float, mixingWindows: Float) {
        self.populationMeanRelativeLogits = populationMeanRelativeLogits
        self.bias = bias
        self.shrinkageWindows = shrinkageWindows
        self.mixingWindows = mixingWindows
    }
}

/// What is known of one person: a weighted mean of the relative logits of windows of speech, or of clips of the pulse.
///
/// With n windows (in weight) of mean m, population mean p, shrinkage k, mixing c and a = n / (n + c):
///
///     logits = (1 - a) * plain + a * (relative - (k * p + n * m) / (k + n) + bias)
public struct PersonalMean: Sendable {
    /// Of how much, in windows that do not overlap.
    public private(set) var windows = 0.0
    private var sum = SIMD3<Double>()
    /// Until where this person's windows have been counted, in a stream whose windows come in the order of their starts.
    private var countedUntilNanoseconds = Int64.min

    public init() {}

    /// Another stream or clip of the same person: times begin anew.
    public mutating func beginClip() { countedUntilNanoseconds = .min }

    /// A window `[startNanoseconds, endNanoseconds)`, never empty: it counts for the share of it that was in no
    /// window before. Windows of a stream must come in the order of their starts.
    public mutating func add(relativeLogits: [Float], startNanoseconds: Int64, endNanoseconds: Int64) {
        add(SIMD3(relativeLogits), from: startNanoseconds, to: endNanoseconds)
    }

    mutating func add(_ relative: SIMD3<Double>, from start: Int64, to end: Int64) {
        guard start < end else { return }
        let new = max(0, end - max(start, countedUntilNanoseconds))
        countedUntilNanoseconds = max(countedUntilNanoseconds, end)
        let weight = Double(new) / Double(end - start)
        sum += weight * relative
        windows += weight
    }

    /// The logits of a window, as this person's; the plain ones where nothing is known.
    public func logits(plain: [Float], relative: [Float], _ baseline: PersonalBaseline) -> [Float] {
        let logits = logits(plain: SIMD3(plain), .init(relativeLogits: SIMD3(relative), baseline: CheckedBaseline(baseline)))
        return [Float(logits.x), Float(logits.y), Float(logits.z)]
    }

    func logits(plain: SIMD3<Double>, _ personal: CheckedPersonalEvidence) -> SIMD3<Double> {
        guard windows > 0 else { return plain }
        let baseline = personal.baseline
        let usual = (baseline.shrinkageWindows * baseline.populationMean + sum) / (baseline.shrinkageWindows + windows)
        let share = windows / (windows + baseline.mixingWindows)
        return (1 - share) * plain + share * (personal.relativeLogits - usual + baseline.bias)
    }
}

/// `PersonalEvidence` in double.
struct CheckedPersonalEvidence: Sendable, Equatable {
    let relativeLogits: SIMD3<Double>
    let baseline: CheckedBaseline
}

/// The constants in double.
struct CheckedBaseline: Sendable, Equatable {
    let populationMean: SIMD3<Double>
    let bias: SIMD3<Double>
    let shrinkageWindows: Double
    let mixingWindows: Double

    init(_ baseline: PersonalBaseline) {
        populationMean = SIMD3(baseline.populationMeanRelativeLogits)
        bias = SIMD3(baseline.bias)
        shrinkageWindows = Double(baseline.shrinkageWindows)
        mixingWindows = Double(baseline.mixingWindows)
    }
}

extension SIMD3<Double> {
    /// The first three; what is not there is 0.
    init(_ values: [Float]) {
        self.init()
        for (i, value) in values.prefix(3).enumerated() { self[i] = Double(value) }
    }
}
