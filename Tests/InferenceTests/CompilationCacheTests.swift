import Foundation
import Inference
import Testing

struct CompilationCacheTests {
    @Test(arguments: [
        ("mediapipe/face_detection_short_range.tflite", [[1, 128, 128, 3]]),
        ("mediapipe/face_detection_full_range.tflite", [[1, 192, 192, 3]]),
        ("mediapipe/face_landmark.tflite", [[1, 192, 192, 3]]),
        ("silero-vad/silero_vad_openvino_16k.onnx", [[1, 576], [2, 1, 128]]),
    ])
    func aModelFromTheCacheGivesTheBitsOfOneCompiledAnew(file: String, inputShapes: [[Int]]) throws {
        let folder = try TemporaryFolder()
        let cache = CompilationCache(folder: folder.path + "/a/b")
        let path = Fixtures.models + "/" + file
        let inputs = inputShapes.map { Tensor(shape: $0, values: Fixtures.pattern(count: $0.reduce(1, *))) }

        let anew = try CompiledModel(modelAt: path, cache: nil)
        _ = try CompiledModel(modelAt: path, cache: cache)
        #expect(try cache.files().count == 1)
        let cached = try CompiledModel(modelAt: path, cache: cache)

        #expect(cached.inputs == anew.inputs)
        #expect(cached.outputs.map(\.shape) == anew.outputs.map(\.shape))
        let isSame = try cached.run(inputs) == anew.run(inputs)
        #expect(isSame)
    }

    @Test func anOpenBatchStaysOpen() throws {
        let folder = try TemporaryFolder()
        let cache = CompilationCache(folder: folder.path)
        let golden = try Golden.load()
        let path = Fixtures.tiny + "/model.onnx"
        _ = try CompiledModel(modelAt: path, cache: cache)
        let anew = try CompiledModel(modelAt: path, cache: nil)
        let cached = try CompiledModel(modelAt: path, cache: cache)
        #expect(cached.inputs == [TensorDescription(name: "picture", shape: [-1, 3, 12, 16])])
        #expect(try cached.run([golden.pictures(0..<8)]) == anew.run([golden.pictures(0..<8)]))
        #expect(try cached.run([golden.pictures(3..<4)]) == anew.run([golden.pictures(3..<4)]))
    }

    @Test func otherSettingsAndOtherWeightsHaveTheirOwnPlace() throws {
        let folder = try TemporaryFolder()
        let cache = CompilationCache(folder: folder.path)
        let path = Fixtures.tiny + "/model.onnx"
        _ = try CompiledModel(modelAt: path, cache: cache)
        _ = try CompiledModel(modelAt: path, threadCount: 2, cache: cache)
        let fixed = try CompiledModel(modelAt: path, inputShapes: ["picture": [2, 3, 12, 16]], cache: cache)
        #expect(fixed.inputs.map(\.shape) == [[2, 3, 12, 16]])
        #expect(try cache.files().count == 3)

        let other = try TemporaryFolder()
        try other.copyTinyModel()
        _ = try CompiledModel(modelAt: other.path + "/model.onnx", cache: cache)
        #expect(try cache.files().count == 3)
        var weights = try Data(contentsOf: URL(filePath: path))
        weights[weights.count / 2] ^= 1
        try other.write(weights, to: "model.onnx")
        _ = try CompiledModel(modelAt: other.path + "/model.onnx", cache: cache)
        #expect(try cache.files().count == 4)
    }

    @Test func whatIsInTheCacheIsUsed() throws {
        // Another model's file in this one's place, sound in itself, shows that it is taken from there.
        let folder = try TemporaryFolder()
        let cache = CompilationCache(folder: folder.path)
        let path = Fixtures.tiny + "/model.onnx"
        _ = try CompiledModel(modelAt: path, inputShapes: ["picture": [2, 3, 12, 16]], cache: cache)
        let ofTwo = try #require(try cache.files().first)
        _ = try CompiledModel(modelAt: path, inputShapes: ["picture": [4, 3, 12, 16]], cache: cache)
        let ofFour = try #require(try cache.files().first { $0 != ofTwo })
        try FileManager.default.removeItem(atPath: ofTwo)
        try FileManager.default.copyItem(atPath: ofFour, toPath: ofTwo)
        let model = try CompiledModel(modelAt: path, inputShapes: ["picture": [2, 3, 12, 16]], cache: cache)
        #expect(model.inputs.map(\.shape) == [[4, 3, 12, 16]])
    }

    @Test(arguments: [0, 1, 100, 2000, nil])
    func aDamagedFileIsReplaced(keptBytes: Int?) throws {
        let folder = try TemporaryFolder()
        let cache = CompilationCache(folder: folder.path)
        let golden = try Golden.load()
        let path = Fixtures.tiny + "/model.onnx"
        let expected = try CompiledModel(modelAt: path, cache: cache).run([golden.pictures(0..<1)])
        let file = try #require(try cache.files().first)
        let whole = try Data(contentsOf: URL(filePath: file))
        var damaged = whole.prefix(keptBytes ?? whole.count)
        if keptBytes == nil { damaged[whole.count / 2] ^= 1 }
        try damaged.write(to: URL(filePath: file))

        #expect(try CompiledModel(modelAt: path, cache: cache).run([golden.pictures(0..<1)]) == expected)
        #expect(try Data(contentsOf: URL(filePath: file)) != damaged)
        #expect(try cache.files() == [file])
    }

    @Test func aFolderThatCannotBeWrittenCostsOnlyTheCompilation() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write(Data(), to: "file")
        let cache = CompilationCache(folder: file + "/in")
        let model = try CompiledModel(modelAt: Fixtures.tiny + "/model.onnx", cache: cache)
        #expect(model.inputs.count == 1)
    }
}

extension CompilationCache {
    fileprivate func files() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).map { folder + "/" + $0 }
    }
}
