import Inference
import Media

#if canImport(Glibc)
import Glibc
#endif

/// MediaPipe's face landmark network (Kartynnik et al. 2019), run by OpenVINO on the published TFLite file: 468 points of a
/// face that a detector has found; 1.5 ms on one core.
///
/// ```swift
/// let network = try FaceMeshNetwork(modelsPath: "/opt/adreact/models/mediapipe")
/// let mesh = try network.mesh(of: face, in: frame)
/// if mesh.presence >= 0.5 { ... }
/// ```
public final class FaceMeshNetwork: Sendable {
    /// The side of the network's input, in pixels.
    package static let inputSize = 192
    /// The side of the square that the network is shown, in longer sides of the detector's box: as MediaPipe's
    /// `face_detection_front_detection_to_roi` does it.
    static let boxScale = 1.5

    private let model: CompiledModel
    private let pointIndex: Int
    private let presenceIndex: Int

    /// - Parameter modelsPath: The folder that holds MediaPipe's TFLite files.
    /// - Throws: `InferenceError` if the file is missing, damaged or another network.
    public init(modelsPath: String) throws(InferenceError) {
        let model = try CompiledModel(modelAt: modelsPath + "/face_landmark.tflite")
        func index(valueCount: Int) throws(InferenceError) -> Int {
            let index = model.outputs.firstIndex { $0.shape.flatMap { Tensor.valueCount(of: $0) } == valueCount }
            guard let index else {
                throw InferenceError(
                    .wrongShape, path: model.path, detail: "no output of \(valueCount) numbers: not the face landmark network")
            }
            return index
        }
        guard model.inputs.map(\.shape) == [[1, Self.inputSize, Self.inputSize, 3]] else {
            throw InferenceError(
                .wrongShape, path: model.path, detail: "not one input of \(Self.inputSize) x \(Self.inputSize) pixels")
        }
        pointIndex = try index(valueCount: 3 * FaceMesh.pointCount)
        presenceIndex = try index(valueCount: 1)
        self.model = model
    }

    /// The mesh of a face.
    ///
    /// - Parameters:
    ///   - face: As `FaceFinder` or `BlazeFace` reports it in this picture. Its eyes are made level for the network.
    ///   - picture: Any size. What lies outside it is black.
    /// - Throws: `InferenceError`, or what `picture` throws.
    public func mesh(of face: DetectedFace, in picture: some PictureSource) throws -> FaceMesh {
        try mesh(in: picture, area: Self.area(for: face))
    }

    /// As `mesh(of:in:)`.
    public func mesh(of face: TrackedFace, in picture: some PictureSource) throws -> FaceMesh {
        try mesh(of: DetectedFace(box: face.box, score: face.detectorScore, keypoints: face.keypoints), in: picture)
    }

    /// The mesh of the face that fills an area of a picture, with a margin of a quarter of the face's size on each side.
    ///
    /// - Throws: `InferenceError`, or what `picture` throws.
    public func mesh(in picture: some PictureSource, area: RotatedRectangle) throws -> FaceMesh {
        let size = Self.inputSize
        let image = try picture.crop(area, outputWidth: size, outputHeight: size)
        let tensor = Tensor(shape: [1, size, size, 3], values: image.pixels.map { Float($0) / 255 })
        let results = try model.run([tensor])
        return FaceMesh(
            raw: results[pointIndex].values, presence: 1 / (1 + exp(-Double(results[presenceIndex].values[0]))), area: area)
    }

    /// The square to show the network of a face, turned so that the eyes are level.
    package static func area(for face: DetectedFace) -> RotatedRectangle {
        let side = boxScale * face.box.sizePixels
        let angle = face.keypoints.map { atan2($0.leftEye.y - $0.rightEye.y, $0.leftEye.x - $0.rightEye.x) }
        return RotatedRectangle(
            centreX: face.box.centreX, centreY: face.box.centreY, width: side, height: side, angleRadians: angle ?? 0)
    }
}
