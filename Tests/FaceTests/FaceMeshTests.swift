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

    @Test("The lines bound the parts of the face that they are named after, in the order that is told")
    func linesAreWhereTheyAreSaidToBe() throws {
        let picture = try Fixtures.picture("mesh-192.png")
        let mesh = try network.mesh(in: picture, area: RotatedRectangle(covering: picture))
        func line(_ indices: [Int]) -> [FaceMeshPoint] { indices.map { mesh.points[$0] } }
        func middle(_ points: [FaceMeshPoint]) -> PicturePoint {
            let count = Double(points.count)
            return PicturePoint(x: points.reduce(0) { $0 + $1.x } / count, y: points.reduce(0) { $0 + $1.y } / count)
        }
        typealias Line = FaceMesh.Line
        let rightEye = middle(line(Line.rightEye)), leftEye = middle(line(Line.leftEye))
        let unit = rightEye.distance(to: leftEye)
        // In a picture the person's right is on the left.
        let sides = [
            (-1.0, rightEye, Line.rightJaw, Line.rightBrowTop, Line.rightBrowBottom, Line.rightLips),
            (1.0, leftEye, Line.leftJaw, Line.leftBrowTop, Line.leftBrowBottom, Line.leftLips),
        ]
        let nose = middle(line(Line.midline))
        for (side, eye, jaw, browTop, browBottom, lips) in sides {
            #expect(side * (eye.x - nose.x) > 0.3 * unit)
            for (top, bottom) in zip(line(browTop), line(browBottom)) { #expect(top.y < bottom.y && bottom.y < eye.y) }
            for brow in [line(browTop), line(browBottom)] { #expect(zip(brow, brow.dropFirst()).allSatisfy { side * ($1.x - $0.x) > 0 }) }
            let edge = line(jaw)
            #expect(zip(edge, edge.dropFirst()).allSatisfy { $1.y > $0.y })
            #expect(edge.dropLast(5).allSatisfy { side * ($0.x - eye.x) > -0.2 * unit })
            let half = line(lips)
            let lowest = try #require(edge.map(\.y).max())
            #expect(half.allSatisfy { $0.y > eye.y + 0.6 * unit && $0.y < lowest })
            #expect(half.dropFirst().dropLast().allSatisfy { side * ($0.x - nose.x) > 0 })
        }
        let forehead = line(Line.forehead)
        #expect(zip(forehead, forehead.dropFirst()).allSatisfy { $1.x > $0.x })
        #expect(forehead.dropFirst(2).dropLast(2).allSatisfy { $0.y < min(rightEye.y, leftEye.y) - 0.4 * unit })
        let midline = line(Line.midline)
        #expect(midline.first?.y ?? .infinity < rightEye.y && midline.last == line(Line.leftJaw).last)
        // Neighbours, all of them.
        for indices in [
            Line.forehead, Line.midline, Line.rightJaw, Line.leftJaw, Line.rightBrowTop, Line.leftBrowTop, Line.rightBrowBottom,
            Line.leftBrowBottom, Line.rightEye, Line.leftEye, Line.rightLips, Line.leftLips,
        ] {
            #expect(Set(indices).count == indices.count)
            let points = line(indices)
            for (point, next) in zip(points, points.dropFirst()) { #expect(hypot(point.x - next.x, point.y - next.y) < 0.5 * unit) }
        }
    }

    @Test("Where there is no face it says so")
    func deniesAbsentFace() throws {
        let picture = try #require(RGBImage(width: 64, height: 64, pixels: [UInt8](repeating: 128, count: 64 * 64 * 3)))
        let mesh = try network.mesh(in: picture, area: RotatedRectangle(covering: picture))
        #expect(mesh.presence < FaceMesh.leastPresence)
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
