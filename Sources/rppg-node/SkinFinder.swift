import Face
import Media
import Pulse

/// Where the main viewer's skin is, frame by frame: the face by `FaceFinder`, its contours by the face mesh, which is read less often, as a
/// face changes its place faster than its shape.
///
/// Give it every frame of a segment in presentation order, and call `reset()` at each segment's first frame.
final class SkinFinder {
    private static let shapeIntervalSeconds = 0.5

    private let finder: FaceFinder
    private let meshNetwork: FaceMeshNetwork
    private var nextShapeNanoseconds = Int64.min
    /// Which of the finder's viewers the shape is of.
    private var knownViewer = 0
    private var isHidden = false

    /// - Parameter modelsPath: The folder that holds MediaPipe's TFLite files.
    /// - Throws: `InferenceError` if a file is missing, damaged or another network.
    init(modelsPath: String) throws {
        finder = try FaceFinder(settings: .viewerOnly, modelsPath: modelsPath)
        meshNetwork = try FaceMeshNetwork(modelsPath: modelsPath)
    }

    /// Forgets the viewer: the next frame is the first of a segment.
    func reset() {
        finder.reset()
        nextShapeNanoseconds = .min
    }

    /// - Throws: `InferenceError` or `MediaError`.
    func find(in frame: VideoFrame) throws -> FaceArea? {
        guard let face = try finder.find(in: frame).face, let keypoints = face.keypoints else { return nil }
        if finder.viewerNumber != knownViewer { nextShapeNanoseconds = .min }
        knownViewer = finder.viewerNumber
        let isLook = finder.lastLook?.ptsNanoseconds == frame.ptsNanoseconds
        var contours = isHidden ? FaceArea.Contours.hidden : .asBefore
        if isLook, frame.ptsNanoseconds >= nextShapeNanoseconds {
            let mesh = try meshNetwork.mesh(of: face, in: frame)
            isHidden = mesh.presence < FaceMesh.leastPresence
            contours = isHidden ? .hidden : .seen(FaceContours(mesh))
            // What hides a face is gone soon: the skin before and after it can be joined if the gap is short.
            if !isHidden { nextShapeNanoseconds = frame.ptsNanoseconds + Int64(Self.shapeIntervalSeconds * 1e9) }
        }
        return FaceArea(keypoints: keypoints.points.map { SIMD2($0.x, $0.y) }, contours: contours)
    }
}

extension FaceContours {
    init(_ mesh: FaceMesh) {
        func line(_ indices: [Int]) -> [SIMD2<Double>] { indices.map { SIMD2(mesh.points[$0].x, mesh.points[$0].y) } }
        typealias Line = FaceMesh.Line
        self.init(
            forehead: line(Line.forehead), midline: line(Line.midline),
            right: Side(
                jaw: line(Line.rightJaw), browTop: line(Line.rightBrowTop), browBottom: line(Line.rightBrowBottom), eye: line(Line.rightEye),
                lips: line(Line.rightLips)),
            left: Side(
                jaw: line(Line.leftJaw), browTop: line(Line.leftBrowTop), browBottom: line(Line.leftBrowBottom), eye: line(Line.leftEye),
                lips: line(Line.leftLips)))
    }
}
