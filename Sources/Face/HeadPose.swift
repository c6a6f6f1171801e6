#if canImport(Glibc)
import Glibc
#endif

/// How a head is turned, in degrees, seen along the line from the camera to the face: 0, 0, 0 looks into the camera, wherever
/// in the picture the face is.
///
/// The mesh's points that expressions move little are laid over an average face by rotation, shift and scale with the least
/// sum of squares (Horn 1987); the angles are those of the rotation. On 1,477 photographs they differ from OpenCV's `solvePnP`,
/// which does without the depth that the network guesses, by 0.8 (yaw), 1.1 (pitch) and 0.1 (roll) degrees in the median
/// (`Models/training/head_pose.py`).
public struct HeadPose: Sendable, Equatable {
    /// Turned to the person's own left, which is the picture's right, is positive. -180 to 180.
    public var yawDegrees: Double
    /// Face up is positive. -90 to 90. 0 is the average of people in press photographs.
    public var pitchDegrees: Double
    /// Tilted clockwise as seen in the picture, towards the person's own left shoulder, is positive. -180 to 180.
    public var rollDegrees: Double

    public init(yawDegrees: Double, pitchDegrees: Double, rollDegrees: Double) {
        self.yawDegrees = yawDegrees
        self.pitchDegrees = pitchDegrees
        self.rollDegrees = rollDegrees
    }

    /// The pose of the head whose face this is; nil if the mesh's points are not numbers, or all one point.
    public init?(_ mesh: FaceMesh) {
        guard mesh.points.count == FaceMesh.pointCount else { return nil }
        let seen = Self.referenceFace.map { SIMD3(mesh.points[$0.index].x, mesh.points[$0.index].y, mesh.points[$0.index].z) }
        self.init(points: seen)
    }

    /// - Parameter points: Where the points of `referenceFace` lie, in its order: x to the right, y down, z away from the camera.
    package init?(points: [SIMD3<Double>]) {
        guard let rotation = Rotation(from: Self.referenceFace.map(\.position), to: points) else { return nil }
        // Rotation = Ry(yaw) Rx(-pitch) Rz(roll), in axes that point right, down and away.
        let toDegrees = 180 / Double.pi
        let right = rotation.turned(SIMD3(1, 0, 0))
        let down = rotation.turned(SIMD3(0, 1, 0))
        let away = rotation.turned(SIMD3(0, 0, 1))
        self.init(
            yawDegrees: atan2(-away.x, away.z) * toDegrees, pitchDegrees: asin(max(-1, min(1, away.y))) * toDegrees,
            rollDegrees: atan2(right.y, down.y) * toDegrees)
    }

    /// Points of the mesh in the average face, in distances between the outer corners of the eyes: x to the right, y down, z away
    /// from the camera. Made from MediaPipe's meshes of 1,477 press photographs (muxspace/facial_expressions) by
    /// `Models/training/head_pose.py`: the mean of a generalised Procrustes analysis (Gower 1975), made symmetric.
    package static let referenceFace: [(index: Int, position: SIMD3<Double>)] = [
        (33, SIMD3(-0.5000, -0.0612, 0.0811)),
        (263, SIMD3(0.5000, -0.0612, 0.0811)),
        (133, SIMD3(-0.1917, -0.0391, 0.0214)),
        (362, SIMD3(0.1917, -0.0391, 0.0214)),
        (117, SIMD3(-0.5775, 0.1166, 0.0920)),
        (346, SIMD3(0.5775, 0.1166, 0.0920)),
        (47, SIMD3(-0.2000, 0.1333, -0.0723)),
        (277, SIMD3(0.2000, 0.1333, -0.0723)),
        (193, SIMD3(-0.0850, -0.0819, -0.1154)),
        (417, SIMD3(0.0850, -0.0819, -0.1154)),
        (54, SIMD3(-0.6571, -0.4151, 0.2160)),
        (284, SIMD3(0.6571, -0.4151, 0.2160)),
        (127, SIMD3(-0.7624, -0.0465, 0.6227)),
        (356, SIMD3(0.7624, -0.0465, 0.6227)),
        (129, SIMD3(-0.2301, 0.3372, -0.0677)),
        (358, SIMD3(0.2301, 0.3372, -0.0677)),
        (151, SIMD3(0.0000, -0.4167, -0.1708)),
        (168, SIMD3(0.0000, -0.0896, -0.1612)),
        (6, SIMD3(0.0000, -0.0010, -0.2048)),
        (197, SIMD3(0.0000, 0.0777, -0.2567)),
        (5, SIMD3(0.0000, 0.2266, -0.3698)),
        (4, SIMD3(0.0000, 0.3164, -0.3923)),
    ]
}
