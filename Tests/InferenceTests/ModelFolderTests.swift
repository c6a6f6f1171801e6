import Foundation
import Inference
import Testing

struct ModelFolderTests {
    struct Settings: Decodable, Equatable {
        var cropMargin: Double
        var minimumSizePixels: Int
    }

    @Test func theCardAndItsSettingsAreRead() throws {
        let folder = try ModelFolder.load(Fixtures.tiny)
        #expect(folder.card.name == "tiny")
        #expect(folder.card.task == .face)
        #expect(folder.card.labels == ["positive", "neutral", "negative"])
        #expect(folder.card.input.shape == [-1, 3, 12, 16])
        #expect(folder.card.input.normalisation?.mean == [0.485, 0.456, 0.406])
        #expect(folder.card.input.normalisation?.standardDeviation == [0.229, 0.224, 0.225])
        #expect(try folder.settings(Settings.self) == Settings(cropMargin: 0.25, minimumSizePixels: 48))
        #expect(try folder.compile(cache: nil).inputs.map(\.name) == ["picture"])
    }

    @Test func oneNumberForAllChannelsIsAListOfOne() throws {
        let folder = try TemporaryFolder()
        try folder.copyTinyModel {
            $0["input"] = ["shape": [-1, 3, 12, 16], "normalisation": ["mean": 0.5, "standardDeviation": 2]]
        }
        let normalisation = try ModelFolder.load(folder.path).card.input.normalisation
        #expect(normalisation?.mean == [0.5])
        #expect(normalisation?.standardDeviation == [2])
    }

    @Test func otherWeightsThanTheCardSaysAreRefused() throws {
        let folder = try TemporaryFolder()
        try folder.copyTinyModel()
        var weights = try Data(contentsOf: URL(filePath: folder.path + "/model.onnx"))
        weights[weights.count / 2] ^= 1
        try folder.write(weights, to: "model.onnx")
        let error = try #require(throws: InferenceError.self) { try ModelFolder.load(folder.path) }
        #expect(error.code == .wrongHash)
        #expect(error.path.hasSuffix("/model.onnx"))
    }

    /// FIPS 180-2's examples: the digest itself, so that a wrong one cannot agree with itself.
    @Test(arguments: [
        ("", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("a", 1_000_000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ])
    func theDigestIsSHA256(text: String, repetitions: Int, digest: String) throws {
        let folder = try TemporaryFolder()
        try folder.copyTinyModel { $0["sha256"] = digest }
        try folder.write(Data(String(repeating: text, count: repetitions).utf8), to: "model.onnx")
        #expect(try ModelFolder.load(folder.path).card.sha256 == digest)
    }

    @Test func aFolderWithoutACardIsNotFound() throws {
        let folder = try TemporaryFolder()
        let error = try #require(throws: InferenceError.self) { try ModelFolder.load(folder.path) }
        #expect(error.code == .notFound)
        #expect(error.path == folder.path + "/model.json")
    }

    @Test func aFolderWithoutWeightsIsNotFound() throws {
        let folder = try TemporaryFolder()
        try folder.copyTinyModel()
        try FileManager.default.removeItem(atPath: folder.path + "/model.onnx")
        let error = try #require(throws: InferenceError.self) { try ModelFolder.load(folder.path) }
        #expect(error.code == .notFound)
        #expect(error.path == folder.path + "/model.onnx")
    }

    @Test func aCardThatIsNotJSONIsInvalid() throws {
        let folder = try TemporaryFolder()
        try folder.copyTinyModel()
        try folder.write(Data("name: tiny".utf8), to: "model.json")
        let error = try #require(throws: InferenceError.self) { try ModelFolder.load(folder.path) }
        #expect(error.code == .invalidCard)
        #expect(error.detail == "this is not JSON")
    }

    @Test(arguments: ["name", "task", "architecture", "labels", "input", "sha256"])
    func aKeyThatIsMissingIsNamed(key: String) throws {
        let folder = try TemporaryFolder()
        try folder.copyTinyModel { $0[key] = nil }
        let error = try #require(throws: InferenceError.self) { try ModelFolder.load(folder.path) }
        #expect(error.code == .invalidCard)
        #expect(error.detail == "\"\(key)\" is missing")
    }

    @Test func labelsInAnotherOrderAreRefused() throws {
        let folder = try TemporaryFolder()
        try folder.copyTinyModel { $0["labels"] = ["negative", "neutral", "positive"] }
        let error = try #require(throws: InferenceError.self) { try ModelFolder.load(folder.path) }
        #expect(error.code == .invalidCard)
        #expect(error.detail.contains("labels"))
    }

    @Test(arguments: [[0.229, 0.224], [0.229, 0, 0.225], []])
    func aNormalisationThatCannotBeAppliedIsRefused(standardDeviation: [Double]) throws {
        let folder = try TemporaryFolder()
        try folder.copyTinyModel {
            $0["input"] = [
                "shape": [-1, 3, 12, 16],
                "normalisation": ["mean": [0.485, 0.456, 0.406], "standardDeviation": standardDeviation],
            ]
        }
        let error = try #require(throws: InferenceError.self) { try ModelFolder.load(folder.path) }
        #expect(error.code == .invalidCard)
        #expect(error.detail.contains("input.normalisation"))
    }

    @Test func aSettingThatIsMissingIsNamed() throws {
        let folder = try TemporaryFolder()
        try folder.copyTinyModel { $0["settings"] = ["cropMargin": 0.25] }
        let error = try #require(throws: InferenceError.self) {
            try ModelFolder.load(folder.path).settings(Settings.self)
        }
        #expect(error.code == .invalidCard)
        #expect(error.detail == "\"settings.minimumSizePixels\" is missing")
    }

    @Test func anInputOfAnotherShapeThanTheCardSaysIsRefused() throws {
        let folder = try TemporaryFolder()
        try folder.copyTinyModel { $0["input"] = ["shape": [-1, 3, 224, 224]] }
        let loaded = try ModelFolder.load(folder.path)
        let error = try #require(throws: InferenceError.self) { try loaded.compile(cache: nil) }
        #expect(error.code == .wrongShape)
        #expect(error.detail.contains("224"))
    }
}
