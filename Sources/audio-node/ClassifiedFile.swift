import Foundation
import Fusion
import Inference
import Voice

/// What `audio-node classify` says of one file.
struct ClassifiedFile: Encodable {
    struct Probabilities: Encodable { var positive, neutral, negative: Double }

    private let file: String
    private var probabilities: Probabilities?
    private var skipped: String?
    /// Windows with speech, of which the probabilities are the mean.
    private let windows: Int
    /// How much of the person's speech the personal baseline was made of; nil where none was used.
    private var baselineWindows: Double?

    /// - Parameters:
    ///   - personal: the network's personal baseline, nil to do without.
    ///   - person: what has been heard of the person.
    init(_ file: String, _ windows: [VoiceWindow], personal: PersonalBaseline?, person: PersonalMean?) {
        self.file = file
        var sum = [Double](repeating: 0, count: VoiceClass.allCases.count)
        var heard = 0
        for case .speech(let speech) in windows.map(\.outcome) {
            var probabilities = speech.probabilities
            if let personal, let person, let relative = speech.relativeLogits {
                probabilities = softmax(person.logits(plain: speech.logits, relative: relative, personal))
                baselineWindows = Self.rounded(person.windows, 10)
            }
            for (i, probability) in probabilities.enumerated() { sum[i] += Double(probability) }
            heard += 1
        }
        self.windows = heard
        if heard == 0 {
            let reasons = windows.compactMap { if case .skipped(let reason) = $0.outcome { reason } else { nil } }
            skipped = (reasons.first { $0 != .silence } ?? .silence).rawValue
        } else {
            func mean(_ label: VoiceClass) -> Double { Self.rounded(sum[label.rawValue] / Double(heard), 10_000) }
            probabilities = Probabilities(positive: mean(.positive), neutral: mean(.neutral), negative: mean(.negative))
        }
    }

    /// One line of JSON.
    var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }

    private static func rounded(_ value: Double, _ steps: Double) -> Double { (value * steps).rounded() / steps }

    private enum CodingKeys: CodingKey { case file, probabilities, skipped, windows, baselineWindows }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(file, forKey: .file)
        try container.encode(probabilities, forKey: .probabilities)  // null where there are none
        try container.encodeIfPresent(skipped, forKey: .skipped)
        try container.encode(windows, forKey: .windows)
        try container.encodeIfPresent(baselineWindows, forKey: .baselineWindows)
    }
}

extension PersonalBaseline {
    /// The constants of a network.
    init(_ baseline: ModelBaseline) {
        self.init(
            populationMeanRelativeLogits: baseline.populationMeanRelativeLogits, bias: baseline.bias,
            shrinkageWindows: baseline.shrinkageWindows, mixingWindows: baseline.mixingWindows)
    }
}
