import Foundation
import Inference
import Testing

/// The tiny network of `Fixtures/make_fixtures.py`, against the ONNX reference evaluator.
struct CompiledModelTests {
    @Test func namesAndShapesOfInputsAndOutputsAreThoseOfTheFile() throws {
        let model = try CompiledModel(modelAt: Fixtures.tiny + "/model.onnx", cache: nil)
        #expect(model.inputs == [TensorDescription(name: "picture", shape: [-1, 3, 12, 16])])
        #expect(model.outputs == [TensorDescription(name: "logits", shape: [-1, 3])])
    }

    @Test func logitsEqualThoseOfTheReferenceEvaluator() throws {
        let golden = try Golden.load()
        let model = try CompiledModel(modelAt: Fixtures.tiny + "/model.onnx", cache: nil)
        let outputs = try model.run([golden.pictures(0..<8)])
        let logits = try #require(outputs.first)
        #expect(outputs.count == 1)
        #expect(logits.shape == [8, 3])
        #expect(zip(logits.values, golden.logits).allSatisfy { abs($0 - $1) < 1e-5 })
        // A network that answers the same to everything would pass the rest of this file.
        #expect(Set(golden.logits).count == 24)
    }

    @Test func aBatchOfEightGivesTheBitsOfEightBatchesOfOne() throws {
        let golden = try Golden.load()
        let model = try CompiledModel(modelAt: Fixtures.tiny + "/model.onnx", cache: nil)
        let together = try model.run([golden.pictures(0..<8)])[0].values
        let apart = try (0..<8).flatMap { try model.run([golden.pictures($0..<$0 + 1)])[0].values }
        #expect(together.map(\.bitPattern) == apart.map(\.bitPattern))
    }

    @Test func aFixedBatchGivesTheBitsOfAnOpenOne() throws {
        let golden = try Golden.load()
        let open = try CompiledModel(modelAt: Fixtures.tiny + "/model.onnx", cache: nil)
        let fixed = try CompiledModel(
            modelAt: Fixtures.tiny + "/model.onnx", inputShapes: ["picture": [8, 3, 12, 16]], cache: nil)
        #expect(fixed.inputs.map(\.shape) == [[8, 3, 12, 16]])
        #expect(fixed.outputs.map(\.shape) == [[8, 3]])
        #expect(try open.run([golden.pictures(0..<8)]) == fixed.run([golden.pictures(0..<8)]))
    }

    @Test func aSecondRunDoesNotRememberTheFirst() throws {
        let golden = try Golden.load()
        let model = try CompiledModel(modelAt: Fixtures.tiny + "/model.onnx", cache: nil)
        let first = try model.run([golden.pictures(2..<3)])
        _ = try model.run([golden.pictures(3..<8)])
        #expect(try model.run([golden.pictures(2..<3)]) == first)
    }

    @Test func callsFromManyThreadsGetTheirOwnAnswers() async throws {
        let golden = try Golden.load()
        let model = try CompiledModel(modelAt: Fixtures.tiny + "/model.onnx", cache: nil)
        let expected = try (0..<8).map { try model.run([golden.pictures($0..<$0 + 1)]) }
        try await withThrowingTaskGroup(of: (Int, [Tensor]).self) { group in
            for index in 0..<64 {
                group.addTask { (index % 8, try model.run([golden.pictures(index % 8..<index % 8 + 1)])) }
            }
            for try await (index, outputs) in group {
                #expect(outputs == expected[index])
            }
        }
    }

    // MARK: What cannot be run

    @Test(arguments: [
        [Tensor(shape: [1, 3, 16, 12], values: .init(repeating: 0, count: 576))],
        [Tensor(shape: [3, 12, 16], values: .init(repeating: 0, count: 576))],
        [Tensor(shape: [1, 3, 12, 16], values: .init(repeating: 0, count: 575))],
        [Tensor(shape: [-1, 3, 12, 16], values: [])],
        [Tensor(shape: [.max, 3, 12, 16], values: [])],
        [],
        .init(repeating: Tensor(shape: [1, 3, 12, 16], values: .init(repeating: 0, count: 576)), count: 2),
    ])
    func aTensorThatDoesNotFitIsRefused(tensors: [Tensor]) throws {
        let model = try CompiledModel(modelAt: Fixtures.tiny + "/model.onnx", cache: nil)
        let error = try #require(throws: InferenceError.self) { try model.run(tensors) }
        #expect(error.code == .wrongShape)
        #expect(error.path.hasSuffix("tiny/model.onnx"))
    }

    @Test func aShapeThatContradictsTheNetworkIsRefused() throws {
        let error = try #require(throws: InferenceError.self) {
            try CompiledModel(
                modelAt: Fixtures.tiny + "/model.onnx", inputShapes: ["picture": [1, 4, 12, 16]], cache: nil)
        }
        #expect(error.code == .wrongShape)
        #expect(error.detail.contains("picture"))
        #expect(!error.description.contains("\n"))
    }

    @Test func aShapeForAnUnknownInputIsRefused() throws {
        let error = try #require(throws: InferenceError.self) {
            try CompiledModel(
                modelAt: Fixtures.tiny + "/model.onnx", inputShapes: ["sound": [1, 3, 12, 16]], cache: nil)
        }
        #expect(error.code == .wrongShape)
        #expect(error.detail.contains("sound"))
    }

    @Test func aMissingFileIsNotFound() throws {
        let error = try #require(throws: InferenceError.self) {
            try CompiledModel(modelAt: "/nowhere/model.onnx", cache: nil)
        }
        #expect(error.code == .notFound)
        #expect(error.description == "/nowhere/model.onnx: cannot read the file: No such file or directory")
    }

    @Test func aFolderIsNotFound() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/model.onnx"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let error = try #require(throws: InferenceError.self) { try CompiledModel(modelAt: path, cache: nil) }
        #expect(error.code == .notFound)
        #expect(error.detail.contains("Is a directory"))
    }

    @Test(arguments: ["model.onnx", "model.tflite"], [0, 3, 4096])
    func garbageIsNotAModel(name: String, byteCount: Int) throws {
        let folder = try TemporaryFolder()
        var random = SystemRandomNumberGenerator()
        var bytes = (0..<byteCount).map { _ in UInt8.random(in: 0...255, using: &random) }
        // Not by chance the first byte of an ONNX file.
        if !bytes.isEmpty { bytes[0] = 0xFF }
        let path = try folder.write(Data(bytes), to: name)
        let error = try #require(throws: InferenceError.self) { try CompiledModel(modelAt: path, cache: nil) }
        #expect(error.code == .notAModel)
    }

    @Test(arguments: [1, 9, 100, 1683, 3365])
    func aModelCutShortIsNotAModel(byteCount: Int) throws {
        let folder = try TemporaryFolder()
        let whole = try Data(contentsOf: URL(filePath: Fixtures.tiny + "/model.onnx"))
        let path = try folder.write(whole.prefix(byteCount), to: "model.onnx")
        let error = try #require(throws: InferenceError.self) { try CompiledModel(modelAt: path, cache: nil) }
        #expect(error.code == .notAModel)
        #expect(!error.description.contains("\n"))
    }

    @Test func anotherKindOfFileIsNotAModel() throws {
        let error = try #require(throws: InferenceError.self) {
            try CompiledModel(modelAt: Fixtures.tiny + "/model.json", cache: nil)
        }
        #expect(error.code == .notAModel)
        #expect(error.detail.contains(".onnx"))
    }
}
