import Inference
import Media

/// MediaPipe's face detector BlazeFace (Bazarevsky et al. 2019), run by OpenVINO on the published TFLite files.
public final class BlazeFace: Sendable {
    /// Which of the two networks.
    public enum Range: Sendable {
        /// 128 x 128: faces from about a fifth of the picture's longer side upwards; 0.5 ms on one core.
        case short
        /// 192 x 192: from about a twentieth; 1.8 ms.
        case full

        var fileName: String {
            switch self {
            case .short: "face_detection_short_range.tflite"
            case .full: "face_detection_full_range_sparse.tflite"
            }
        }

        package var inputSize: Int {
            switch self {
            case .short: 128
            case .full: 192
            }
        }

        package var output: BlazeFaceOutput {
            switch self {
            case .short: BlazeFaceOutput(inputSize: inputSize, layers: [(8, 2), (16, 6)])
            case .full: BlazeFaceOutput(inputSize: inputSize, layers: [(4, 1)])
            }
        }
    }

    private let model: CompiledModel
    private let inputSize: Int
    private let output: BlazeFaceOutput
    private let regressorIndex: Int
    private let scoreIndex: Int

    /// - Parameter modelsPath: The folder that holds MediaPipe's TFLite files.
    /// - Throws: `InferenceError` if the file is missing, damaged or another network.
    public init(_ range: Range, modelsPath: String) throws(InferenceError) {
        let model = try CompiledModel(modelAt: modelsPath + "/" + range.fileName)
        let output = range.output
        func index(lastDimension: Int) throws(InferenceError) -> Int {
            let shape = [1, output.anchorCount, lastDimension]
            guard let index = model.outputs.firstIndex(where: { $0.shape == shape }) else {
                throw InferenceError(.wrongShape, path: model.path, detail: "no output of the shape \(shape): not BlazeFace")
            }
            return index
        }
        guard model.inputs.map(\.shape) == [[1, range.inputSize, range.inputSize, 3]] else {
            throw InferenceError(
                .wrongShape, path: model.path, detail: "not one input of \(range.inputSize) x \(range.inputSize) pixels")
        }
        self.model = model
        self.output = output
        inputSize = range.inputSize
        regressorIndex = try index(lastDimension: BlazeFaceOutput.valuesPerAnchor)
        scoreIndex = try index(lastDimension: 1)
    }

    /// The faces in a square of a picture, best first, in the picture's pixels.
    ///
    /// - Parameters:
    ///   - picture: Any size. What lies outside it is black.
    ///   - square: Where to look. It is shrunk or grown to the network's input.
    ///   - scoreThreshold: 0 to 1; faces below it are left out.
    /// - Throws: `InferenceError`, or what `picture` throws.
    public func faces(
        in picture: some PictureSource, square: RotatedRectangle, scoreThreshold: Double
    ) throws -> [DetectedFace] {
        let image = try picture.crop(square, outputWidth: inputSize, outputHeight: inputSize)
        let tensor = Tensor(shape: [1, inputSize, inputSize, 3], values: image.pixels.map { Float($0) / 127.5 - 1 })
        let results = try model.run([tensor])
        return output.faces(
            regressors: results[regressorIndex].values, scores: results[scoreIndex].values, scoreThreshold: scoreThreshold
        ).map { DetectedFace($0, in: square) }
    }
}

extension DetectedFace {
    /// - Parameter square: The part of the picture that the unit square stands for; upright.
    fileprivate init(_ face: BlazeFaceOutput.Face, in square: RotatedRectangle) {
        let left = square.centreX - square.width / 2
        let top = square.centreY - square.height / 2
        func point(_ x: Double, _ y: Double) -> PicturePoint {
            PicturePoint(x: left + x * square.width, y: top + y * square.height)
        }
        let centre = point(face.centreX, face.centreY)
        self.init(
            box: RotatedRectangle(
                centreX: centre.x, centreY: centre.y, width: face.width * square.width,
                height: face.height * square.height, angleRadians: 0),
            score: face.score,
            keypoints: FaceKeypoints(
                points: stride(from: 0, to: face.keypoints.count, by: 2).map {
                    point(face.keypoints[$0], face.keypoints[$0 + 1])
                }))
    }
}
