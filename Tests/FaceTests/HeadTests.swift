import Face
import Foundation
import Media
import Testing

@Suite("A head's pose is told from the points of its mesh")
struct HeadPoseTests {
    private static func turned(_ p: SIMD3<Double>, yaw: Double, pitch: Double, roll: Double) -> SIMD3<Double> {
        let toRadians = Double.pi / 180
        // x to the right, y down, z away; the face looks along -z. Clockwise; then up; then to the picture's right.
        let (c, s) = (cos(roll * toRadians), sin(roll * toRadians))
        let tilted = SIMD3(p.x * c - p.y * s, p.x * s + p.y * c, p.z)
        let (d, t) = (cos(pitch * toRadians), sin(pitch * toRadians))
        let raised = SIMD3(tilted.x, tilted.y * d + tilted.z * t, -tilted.y * t + tilted.z * d)
        let (e, u) = (cos(yaw * toRadians), sin(yaw * toRadians))
        return SIMD3(raised.x * e - raised.z * u, raised.y, raised.x * u + raised.z * e)
    }

    @Test(
        "The average face, turned, moved and scaled, gives back the angles that it was turned by",
        arguments: [(0.0, 0.0, 0.0), (35, 0, 0), (0, 25, 0), (0, 0, -40), (-50, -30, 20), (70, 10, 150)])
    func tellsAngles(yaw: Double, pitch: Double, roll: Double) throws {
        let points = HeadPose.referenceFace.map {
            Self.turned($0.position, yaw: yaw, pitch: pitch, roll: roll) * 83 + SIMD3(400, 300, -20)
        }
        let pose = try #require(HeadPose(points: points))
        #expect(close(pose.yawDegrees, yaw, within: 1e-6))
        #expect(close(pose.pitchDegrees, pitch, within: 1e-6))
        #expect(close(pose.rollDegrees, roll, within: 1e-6))
    }

    @Test("A face with another expression has nearly the same pose: no point counts for much")
    func withstandsNoise() throws {
        let points = HeadPose.referenceFace.enumerated().map { index, point in
            Self.turned(point.position, yaw: 20, pitch: -10, roll: 5)
                + 0.03 * SIMD3(sin(Double(7 * index)), sin(Double(11 * index + 1)), sin(Double(13 * index + 2)))
        }
        let pose = try #require(HeadPose(points: points))
        #expect(close(pose.yawDegrees, 20, within: 2.5) && close(pose.pitchDegrees, -10, within: 2.5))
    }

    @Test("Points that are no face have no pose")
    func refusesNonsense() {
        let count = HeadPose.referenceFace.count
        #expect(HeadPose(points: [SIMD3<Double>](repeating: SIMD3(3, 4, 5), count: count)) == nil)
        #expect(HeadPose(points: [SIMD3<Double>](repeating: SIMD3(3, .nan, 5), count: count)) == nil)
        #expect(HeadPose(points: [SIMD3(1, 2, 3)]) == nil)
        #expect(HeadPose(FaceMesh(points: [], presence: 1)) == nil)
    }

    @Test("A drawn face that looks into the camera does, and tilted by 17 degrees clockwise it is")
    func readsDrawnFaces() throws {
        let reader = try HeadReader(modelsPath: Fixtures.detectors)
        let finder = try FaceFinder(modelsPath: Fixtures.detectors)
        for (name, roll) in [("face-320x240.png", 0.0), ("mesh-320x240.png", 17)] {
            let picture = try Fixtures.picture(name)
            finder.reset()
            let face = try #require(try finder.find(in: picture, ptsNanoseconds: 0).face)
            let pose = try #require(try reader.read(face, in: picture).pose)
            #expect(abs(pose.yawDegrees) < 10 && abs(pose.pitchDegrees) < 15)
            #expect(close(pose.rollDegrees, roll, within: 4))
        }
    }

    @Test("Attention needs a head that faces the screen, and open eyes; without a pose nothing is known")
    func limitsAttention() {
        let limits = AttentionLimits()
        func head(_ yaw: Double, _ pitch: Double, _ ratio: Double) -> Head {
            Head(meshPresence: 1, pose: HeadPose(yawDegrees: yaw, pitchDegrees: pitch, rollDegrees: 40), eyeAspectRatio: ratio)
        }
        #expect(limits.facesScreen(head(0, 0, 0.3)) == true && limits.eyesAreOpen(head(0, 0, 0.3)) == true)
        #expect(limits.facesScreen(head(-25, -25, 0.3)) == true)
        #expect(limits.facesScreen(head(35, 0, 0.3)) == false)
        #expect(limits.facesScreen(head(0, 25, 0.3)) == false)
        #expect(limits.facesScreen(head(0, -35, 0.3)) == false)
        #expect(limits.eyesAreOpen(head(0, 0, 0.1)) == false)
        let unknown = Head(meshPresence: 0.1, pose: nil, eyeAspectRatio: nil)
        #expect(limits.facesScreen(unknown) == nil && limits.eyesAreOpen(unknown) == nil)
    }
}
