import Foundation
import Inference
import Pulse
import Testing

@Suite struct HeartRateModelTests {
    static let folderPath = PPGNetworkTests.folderPath.replacing("Models/pulse", with: "Models/pulse-heart-rate")

    /// The card's figures, as logistic regression gave them.
    private struct Card: Decodable {
        struct Settings: Decodable { var baseline: ModelBaseline }
        var settings: Settings
    }

    @Test func theRelativeLogitGrowsInProportionToTheHeartRate() throws {
        let model = try HeartRateModel(folder: ModelFolder.load(Self.folderPath))
        let card = try JSONDecoder().decode(Card.self, from: Data(contentsOf: URL(filePath: Self.folderPath + "/model.json")))
        // The population's mean is the relative logit at 75 a minute.
        let slope = Double(card.settings.baseline.populationMeanRelativeLogits[2]) / 75
        #expect(slope > 0.01 && model.baseline == card.settings.baseline)
        for rate in [40.0, 75, 118.5] {
            let logits = try #require(try model.judge(heartRateBPM: rate, wave: [], rateHz: 30))
            let relative = try #require(logits.relative)
            #expect(relative[0] == 0 && relative[1] == 0)
            #expect(abs(Double(relative[2]) - slope * rate) < 1e-4)
            // Of somebody of whom nothing is known: rest, and never a positive emotion.
            #expect(logits.plain[0] <= -20 && logits.plain[1] > logits.plain[2])
        }
    }

    @Test func everyFolderOpensAsWhatItIs() throws {
        #expect(try pulseClassifier(folder: ModelFolder.load(Self.folderPath)) is HeartRateModel)
        #expect(try pulseClassifier(folder: ModelFolder.load(PPGNetworkTests.folderPath)) is PPGNetwork)
        let error = #expect(throws: InferenceError.self) { try HeartRateModel(folder: ModelFolder.load(PPGNetworkTests.folderPath)) }
        #expect(error?.code == .invalidCard)
    }

    @Test func everySecondWithAKnownRateIsJudged() throws {
        var analyzer = try PulseAnalyzer(classifier: try pulseClassifier(folder: ModelFolder.load(Self.folderPath)))
        var clips: [PulseClip] = []
        // 83 a minute: most seconds do not hold a single pulse.
        for sample in SyntheticSkin(heartRateBPM: 83, noise: 0.01).samples(seconds: 16, seed: 1) { clips += try analyzer.append(sample) }
        #expect(clips.count { $0.heartRateBPM != nil } >= 3)
        #expect(clips.allSatisfy { ($0.heartRateBPM == nil) == ($0.logits?.relative == nil) })
    }
}
