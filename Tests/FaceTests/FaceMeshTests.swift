import Face
import Foundation
import Media
import Testing

@Suite("The face mesh is what MediaPipe's network gives, where the face is")
struct FaceMeshTests {
    struct Golden: Decodable {
        struct Whole: Decodable {
            var presenceLogit: Double
            var eyeAspectRatios: [String: Double]
            var points: [[Double]]
        }
        struct Turned: Decodable {
            var centre, rightEye, leftEye: [Double]
            var side, roiRotation: Double
            var points: [[Double]]

            var face: DetectedFace {
                let box = RotatedRectangle(centreX: centre[0], centreY: centre[1], width: side, height: side)
                let middle = PicturePoint(x: centre[0], y: centre[1])
                let right = PicturePoint(x: rightEye[0], y: rightEye[1])
                let left = PicturePoint(x: leftEye[0], y: leftEye[1])
                return DetectedFace(
                    box: box, score: 0.9, keypoints: FaceKeypoints(points: [right, left, middle, middle, middle, middle]))
            }
        }
        var whole: Whole
        var turned: Turned
    }

    private let golden: Golden
    private let network: FaceMeshNetwork

    init() throws {
        golden = try Fixtures.decode(Golden.self, from: "mesh.json")
        network = try FaceMeshNetwork(modelsPath: Fixtures.detectors)
    }

    private func largestDifference(_ mesh: FaceMesh, _ expected: [[Double]]) throws -> Double {
        try #require(mesh.points.count == FaceMesh.pointCount && expected.count == FaceMesh.pointCount)
        return zip(mesh.points, expected).map { point, reference in
            max(abs(point.x - reference[0]), abs(point.y - reference[1]), abs(point.z - reference[2]))
        }.max() ?? .infinity
    }

    @Test("On the network's own input its points are LiteRT's to a hundredth of a pixel, and so is its certainty")
    func matchesLiteRT() throws {
        let picture = try Fixtures.picture("mesh-192.png")
        let mesh = try network.mesh(in: picture, area: RotatedRectangle(covering: picture))
        #expect(try largestDifference(mesh, golden.whole.points) < 0.01)
        #expect(close(mesh.presence, 1 / (1 + exp(-golden.whole.presenceLogit)), within: 1e-4))
    }

    @Test("A face turned by 17 degrees is cut out level, and its points lie in the picture where the reference has them")
    func findsTurnedFace() throws {
        let picture = try Fixtures.picture("mesh-320x240.png")
        let face = golden.turned.face
        #expect(close(FaceMeshNetwork.area(for: face).angleRadians, golden.turned.roiRotation, within: 1e-6))
        let mesh = try network.mesh(of: face, in: picture)
        // The reference cuts by another interpolation: the network sees other grey levels.
        #expect(try largestDifference(mesh, golden.turned.points) < 1)
        #expect(mesh.presence > 0.9)
    }

    @Test("Where there is no face it says so")
    func deniesAbsentFace() throws {
        let picture = try #require(RGBImage(width: 64, height: 64, pixels: [UInt8](repeating: 128, count: 64 * 64 * 3)))
        let mesh = try network.mesh(in: picture, area: RotatedRectangle(covering: picture))
        #expect(mesh.presence < 0.5)
    }

    @Test("The eyes are as far open as the reference has them")
    func matchesEyes() throws {
        let picture = try Fixtures.picture("mesh-192.png")
        let mesh = try network.mesh(in: picture, area: RotatedRectangle(covering: picture))
        let eyes = try EyeNetwork(modelsPath: Fixtures.detectors)
        // The reference cuts by another interpolation.
        let right = try #require(golden.whole.eyeAspectRatios["right"])
        let left = try #require(golden.whole.eyeAspectRatios["left"])
        #expect(close(try eyes.aspectRatio(of: .right, on: mesh, in: picture), right, within: 0.02))
        #expect(close(try eyes.aspectRatio(of: .left, on: mesh, in: picture), left, within: 0.02))
    }

    @Test("A missing file is an error that names it")
    func namesMissingFile() {
        #expect { try FaceMeshNetwork(modelsPath: "/nowhere") } throws: { "\($0)".contains("/nowhere/face_landmark.tflite") }
    }
}
