/// What the program needs to know of a model: the content of its `model.json`.
///
/// The card holds more (`settings`, which `ModelFolder.settings` reads, and `training`, `metrics` and `limits`, which
/// are for its readers).
public struct ModelCard: Sendable, Decodable, Equatable {
    /// What the model judges.
    public enum Task: String, Sendable, Decodable {
        case voice, face, pulse
        /// Pictures of a face to the wave of the pulse: its one output has the label `wave`.
        case pulseWave = "pulse-wave"
    }

    /// The first input of the model.
    public struct Input: Sendable, Decodable, Equatable {
        /// The size of each dimension, batch included; -1 stands for any size.
        public let shape: [Int]
        /// What is done to the features before they go in; nil if nothing is.
        public let normalisation: Normalisation?
    }

    /// `(value - mean) / standardDeviation`, one pair for all values or one for each channel.
    public struct Normalisation: Sendable, Decodable, Equatable {
        public let mean: [Float]
        public let standardDeviation: [Float]
    }

    /// The labels of every model that judges an emotion, in the order of its outputs.
    public static let labels = ["positive", "neutral", "negative"]
    /// The labels of a model of the wave of the pulse.
    public static let waveLabels = ["wave"]

    public let name: String
    public let task: Task
    public let architecture: String
    /// The meaning of the outputs, in order: `ModelCard.labels`, or of a wave `ModelCard.waveLabels`.
    public let labels: [String]
    public let input: Input
    /// The SHA-256 of `model.onnx`, in hexadecimal digits.
    public let sha256: String
    /// The quantised network beside it, `model.int8.xml` and `model.int8.bin`; nil if there is none.
    public let int8: Quantised?

    public struct Quantised: Sendable, Decodable, Equatable {
        /// The SHA-256 of the two files, one after the other, in hexadecimal digits.
        public let sha256: String
    }
}

extension ModelCard {
    /// - Throws: `InferenceError` with code `.invalidCard`.
    func check(cardPath: String) throws(InferenceError) {
        func fail(_ detail: String) -> InferenceError { InferenceError(.invalidCard, path: cardPath, detail: detail) }

        let expected = task == .pulseWave ? Self.waveLabels : Self.labels
        guard labels == expected else {
            throw fail("\"labels\" must be \(expected) in this order, which the programs rely on, not \(labels)")
        }
        guard !input.shape.isEmpty, input.shape.allSatisfy({ $0 == -1 || $0 > 0 }) else {
            throw fail("\"input.shape\" must hold sizes above 0, or -1 for any size, not \(input.shape)")
        }
        guard let normalisation = input.normalisation else { return }
        guard !normalisation.mean.isEmpty, normalisation.mean.count == normalisation.standardDeviation.count else {
            throw fail("\"input.normalisation\" must hold as many means as standard deviations, and at least one")
        }
        guard normalisation.standardDeviation.allSatisfy({ $0 > 0 && $0.isFinite }) else {
            throw fail("\"input.normalisation.standardDeviation\" must hold numbers above 0")
        }
    }
}

extension ModelCard.Normalisation {
    private enum CodingKeys: CodingKey {
        case mean, standardDeviation
    }

    /// Takes a single number for a list of one.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func numbers(_ key: CodingKeys) throws -> [Float] {
            if let number = try? container.decode(Float.self, forKey: key) { return [number] }
            return try container.decode([Float].self, forKey: key)
        }
        mean = try numbers(.mean)
        standardDeviation = try numbers(.standardDeviation)
    }
}
