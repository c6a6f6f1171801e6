import Inference
import Media

#if canImport(Glibc)
import Glibc
#endif

/// MediaPipe's eye contour and iris network (Ablavatski et al. 2020), run by OpenVINO on the published TFLite file: how far an eye
/// is open; 1 ms on one core.
///
/// The face mesh does not tell: its lids hardly move (on three speakers the ratio of a closed eye lay above that of another
/// speaker's open one), while this network's do.
public final class EyeNetwork: Sendable {
    /// Which eye; the person's own left and right.
    public enum Eye: Sendable {
        /// On the picture's left.
        case right
        /// On the picture's right.
        case left

        /// The mesh's points at the outer and the inner corner.
        fileprivate var corners: (outer: Int, inner: Int) {
            switch self {
            case .right: (33, 133)
            case .left: (263, 362)
            }
        }
    }

    /// The side of the network's input, in pixels.
    private static let inputSize = 64
    /// The side of the square that the network is shown, in distances between the corners of the eye: as MediaPipe's
    /// `iris_landmark_landmarks_to_roi` does it.
    private static let cornerScale = 2.3
    private static let contourPointCount = 71

    private let model: CompiledModel
    private let contourIndex: Int

    /// - Parameter modelsPath: The folder that holds MediaPipe's TFLite files.
    /// - Throws: `InferenceError` if the file is missing, damaged or another network.
    public init(modelsPath: String) throws(InferenceError) {
        let model = try CompiledModel(modelAt: modelsPath + "/iris_landmark.tflite")
        let shape = [1, 3 * Self.contourPointCount]
        guard let index = model.outputs.firstIndex(where: { $0.shape == shape }),
            model.inputs.map(\.shape) == [[1, Self.inputSize, Self.inputSize, 3]]
        else {
            throw InferenceError(
                .wrongShape, path: model.path,
                detail: "not one input of \(Self.inputSize) x \(Self.inputSize) pixels and an output of the shape \(shape)")
        }
        self.model = model
        contourIndex = index
    }

    /// The eye's height over its width: 0 closed, 0.3 to 0.4 open. The mean of three heights between the lids over the distance of
    /// the corners: the eye aspect ratio (Soukupová and Čech 2016), with one more height, in the eye's middle.
    ///
    /// - Throws: `InferenceError`, or what `picture` throws.
    public func aspectRatio(of eye: Eye, on mesh: FaceMesh, in picture: some PictureSource) throws -> Double {
        let raw = try contour(of: eye, on: mesh, in: picture)
        func distance(_ a: Int, _ b: Int) -> Double {
            let dx = Double(raw[3 * a] - raw[3 * b])
            let dy = Double(raw[3 * a + 1] - raw[3 * b + 1])
            return (dx * dx + dy * dy).squareRoot()
        }
        // The contour's first 16 points: outer corner, lower lid, inner corner (8), upper lid from the outside in.
        let width = distance(0, 8)
        guard width > 0 else { return 0 }
        return (distance(3, 11) + distance(4, 12) + distance(5, 13)) / 3 / width
    }

    /// x, y and z of the contour's points, in pixels of the network's input. Of a left eye, mirrored: the network knows right eyes.
    package func contour(of eye: Eye, on mesh: FaceMesh, in picture: some PictureSource) throws -> [Float] {
        let size = Self.inputSize
        let image = try picture.crop(Self.area(of: eye, on: mesh), outputWidth: size, outputHeight: size)
        var values = image.pixels.map { Float($0) / 255 }
        if eye == .left { Self.mirror(&values) }
        return try model.run([Tensor(shape: [1, size, size, 3], values: values)])[contourIndex].values
    }

    /// The square around an eye, turned so that its corners are level.
    private static func area(of eye: Eye, on mesh: FaceMesh) -> RotatedRectangle {
        let (outer, inner) = (mesh.points[eye.corners.outer], mesh.points[eye.corners.inner])
        let (left, right) = eye == .right ? (outer, inner) : (inner, outer)
        let dx = right.x - left.x
        let dy = right.y - left.y
        let side = max(cornerScale * (dx * dx + dy * dy).squareRoot(), 1)
        return RotatedRectangle(
            centreX: (left.x + right.x) / 2, centreY: (left.y + right.y) / 2, width: side, height: side,
            angleRadians: atan2(dy, dx))
    }

    private static func mirror(_ values: inout [Float]) {
        for row in 0..<inputSize {
            for column in 0..<inputSize / 2 {
                let a = 3 * (row * inputSize + column)
                let b = 3 * (row * inputSize + inputSize - 1 - column)
                for channel in 0..<3 { values.swapAt(a + channel, b + channel) }
            }
        }
    }
}
