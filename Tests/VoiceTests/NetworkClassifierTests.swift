import Foundation
import Inference
import Testing
import Voice

@Suite("Shipped networks")
struct NetworkClassifierTests {
    private struct Golden: Decodable { var speech: [Int]? }

    private static var models: URL {
        URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Models").standardizedFileURL
    }

    static var names: [String] {
        get throws { try GoldenFile.json("logits.json", as: [String: [Float]].self).keys.sorted() }
    }

    @Test("logits are PyTorch's within 1e-4 on the same features", arguments: try names)
    func logits(name: String) throws {
        let golden = try #require(try GoldenFile.json("logits.json", as: [String: [Float]].self)[name])
        let classifier = try NetworkClassifier(folder: .load(Self.models.appending(path: name).path))
        var features = try features(of: "one-stretch", classifier)
        let reference = try GoldenFile.array(features.speechWeights == nil ? "one-stretch-mfcc.npy" : "one-stretch-logmel.npy")
        features.image = reference.values
        if let normalisation = classifier.card.input.normalisation {
            for i in features.image.indices {
                let row = i / reference.shape[1]
                features.image[i] = (features.image[i] - normalisation.mean[row]) / normalisation.standardDeviation[row]
            }
        }
        #expect(largestDifference(try classifier.logits(of: [features])[0].plain, golden) < 1e-4)
    }

    @Test("logits from the samples are those of the reference features within 1e-2", arguments: try names)
    func endToEnd(name: String) throws {
        let golden = try #require(try GoldenFile.json("logits.json", as: [String: [Float]].self)[name])
        let classifier = try NetworkClassifier(folder: .load(Self.models.appending(path: name).path))
        let features = try features(of: "one-stretch", classifier)
        #expect(largestDifference(try classifier.logits(of: [features])[0].plain, golden) < 1e-2)
    }

    @Test("a window's logits are the same bits alone and in a batch", arguments: try names)
    func batches(name: String) throws {
        let classifier = try NetworkClassifier(folder: .load(Self.models.appending(path: name).path))
        let windows = try ["one-stretch", "joined", "two-stretches"].map { try features(of: $0, classifier) }
        #expect(try classifier.logits(of: windows) == windows.flatMap { try classifier.logits(of: [$0]) })
    }

    @Test("weights that do not fit the windows are refused")
    func wrongWindows() throws {
        var settings = VoiceSettings()
        settings.windowSamples = 96_000
        let folder = try ModelFolder.load(Self.models.appending(path: "voice").path)
        #expect(throws: VoiceError.self) { try NetworkClassifier(folder: folder, settings: settings) }
    }

    private func features(of signal: String, _ classifier: NetworkClassifier) throws -> VoiceFeatures {
        let speech = try #require(try GoldenFile.json("gate.json", as: [String: Golden].self)[signal]?.speech)
        let samples = try #require(SyntheticSignals.cases[signal]).samples
        return try samples.withUnsafeBufferPointer { try classifier.makeExtractor().features(of: $0, startSample: 0, speech: speech[0]..<speech[1]) }
    }
}
