import Inference
import Media

/// What the mesh tells of a head: how it is turned, and whether the eyes are open.
public struct Head: Sendable, Equatable {
    /// How sure the mesh network is that it sees a face, 0 to 1.
    public var meshPresence: Double
    /// nil if the mesh network is not sure.
    public var pose: HeadPose?
    /// Height over width of the eye that is turned more to the camera; nil if the pose is.
    public var eyeAspectRatio: Double?

    public init(meshPresence: Double, pose: HeadPose?, eyeAspectRatio: Double?) {
        self.meshPresence = meshPresence
        self.pose = pose
        self.eyeAspectRatio = eyeAspectRatio
    }
}

/// Reads heads: two networks, one after the other.
public final class HeadReader: Sendable {
    private let meshNetwork: FaceMeshNetwork
    private let eyeNetwork: EyeNetwork

    /// - Parameter modelsPath: The folder that holds MediaPipe's TFLite files.
    /// - Throws: `InferenceError` if a file is missing, damaged or another network.
    public init(modelsPath: String) throws(InferenceError) {
        meshNetwork = try FaceMeshNetwork(modelsPath: modelsPath)
        eyeNetwork = try EyeNetwork(modelsPath: modelsPath)
    }

    /// - Throws: `InferenceError`, or what `picture` throws.
    public func read(_ face: TrackedFace, in picture: some PictureSource) throws -> Head {
        let mesh = try meshNetwork.mesh(of: face, in: picture)
        guard mesh.presence >= FaceMesh.leastPresence, let pose = HeadPose(mesh) else {
            return Head(meshPresence: mesh.presence, pose: nil, eyeAspectRatio: nil)
        }
        // Of a head turned to its own left, the right eye is the nearer one.
        let eye = pose.yawDegrees > 0 ? EyeNetwork.Eye.right : .left
        return Head(
            meshPresence: mesh.presence, pose: pose,
            eyeAspectRatio: try eyeNetwork.aspectRatio(of: eye, on: mesh, in: picture))
    }
}

/// When a viewer counts as attentive: the head faces the screen, and the eyes are open. Where the eyes look is not asked.
public struct AttentionLimits: Sendable, Equatable {
    /// A camera stands on the upper edge of the screen. From 60 cm the corners of a screen of 60 x 34 cm lie 27 degrees to the
    /// sides and 30 below; a little is left for the error of the pose.
    public var mostYawDegrees = 30.0
    public var pitchDegrees = -30.0...20.0
    /// Of three speakers, the two who close their eyes have 0.07 to 0.17 then; all three have 0.21 and more with narrow but open ones.
    public var leastEyeAspectRatio = 0.19

    public init() {}

    /// nil: not known.
    public func facesScreen(_ head: Head) -> Bool? {
        head.pose.map { abs($0.yawDegrees) <= mostYawDegrees && pitchDegrees.contains($0.pitchDegrees) }
    }

    /// nil: not known.
    public func eyesAreOpen(_ head: Head) -> Bool? { head.eyeAspectRatio.map { $0 >= leastEyeAspectRatio } }
}
