import Foundation
import Inference
import Testing

/// The networks that set-up fetches: they load, and give the same bits however many threads they use.
struct FetchedModelTests {
    @Test(arguments: [
        ("mediapipe/face_detection_short_range.tflite", [1, 128, 128, 3], [[1, 896, 16], [1, 896, 1]]),
        ("mediapipe/face_detection_full_range.tflite", [1, 192, 192, 3], [[1, 2304, 16], [1, 2304, 1]]),
        ("mediapipe/face_landmark.tflite", [1, 192, 192, 3], [[1, 1, 1, 1404], [1, 1, 1, 1]]),
        ("mediapipe/iris_landmark.tflite", [1, 64, 64, 3], [[1, 213], [1, 15]]),
    ])
    func oneAndTwoThreadsGiveTheSameBits(file: String, inputShape: [Int], outputShapes: [[Int]]) throws {
        let path = Fixtures.models + "/" + file
        let input = Tensor(shape: inputShape, values: Fixtures.pattern(count: inputShape.reduce(1, *)))

        let one = try CompiledModel(modelAt: path, threadCount: 1, cache: nil).run([input])
        let two = try CompiledModel(modelAt: path, threadCount: 2, cache: nil).run([input])

        #expect(one.map(\.shape) == outputShapes)
        let isSame = one.map(\.bits) == two.map(\.bits)
        #expect(isSame)
        #expect(one.allSatisfy { $0.values.allSatisfy(\.isFinite) })
        #expect(Set(one[0].values).count > 1)
    }

    @Test func theVoiceActivityNetworkTakesItsStateAsATensor() throws {
        let model = try CompiledModel(modelAt: Fixtures.models + "/silero-vad/silero_vad_openvino_16k.onnx", cache: nil)
        let silence = Tensor(shape: [1, 576], values: .init(repeating: 0, count: 576))
        let state = Tensor(shape: [2, 1, 128], values: .init(repeating: 0, count: 256))
        let outputs = try model.run([silence, state])
        #expect(outputs.map(\.shape) == [[1, 1], [2, 1, 128]])
        #expect((0..<0.1).contains(outputs[0].values[0]))
        #expect(outputs[1].values != state.values)
    }

    @Test func aNetworkCutShortIsNotAModel() throws {
        let folder = try TemporaryFolder()
        let whole = try Data(contentsOf: URL(filePath: Fixtures.models + "/mediapipe/face_landmark.tflite"))
        let path = try folder.write(whole.prefix(100_000), to: "cut.tflite")
        let error = try #require(throws: InferenceError.self) { try CompiledModel(modelAt: path, cache: nil) }
        #expect(error.code == .notAModel)
        #expect(error.detail.contains("corrupted"))
    }

    /// (The face mesh alone: the other networks of MediaPipe hold a reshape to a batch of one.)
    @Test func aBatchOfEightFacesGivesTheBitsOfEightBatchesOfOne() throws {
        let path = Fixtures.models + "/mediapipe/face_landmark.tflite"
        let valuesPerPicture = 192 * 192 * 3
        let pictures = Fixtures.pattern(count: 8 * valuesPerPicture)
        let single = try CompiledModel(modelAt: path, cache: nil)
        let batched = try CompiledModel(modelAt: path, inputShapes: ["input_1": [8, 192, 192, 3]], cache: nil)

        let together = try batched.run([Tensor(shape: [8, 192, 192, 3], values: pictures)])
        let apart = try (0..<8).map { index in
            let values = Array(pictures[index * valuesPerPicture..<(index + 1) * valuesPerPicture])
            return try single.run([Tensor(shape: [1, 192, 192, 3], values: values)])
        }

        #expect(together.map(\.shape) == [[8, 1, 1, 1404], [8, 1, 1, 1]])
        for output in together.indices {
            // Compared outside #expect, which would take minutes to print the difference.
            let isSame = together[output].bits == apart.flatMap { $0[output].bits }
            #expect(isSame, "output \(output) differs")
        }
    }
}

extension Tensor {
    fileprivate var bits: [UInt32] { values.map(\.bitPattern) }
}
