import Face
import Foundation
import Media
import Testing

@Suite("The crop frames a face as the training pictures do")
struct FaceFramingTests {
    /// Keypoints with the proportions of FER2013's average picture of a given side, turned about its centre.
    private func keypoints(side: Double, centreX: Double, centreY: Double, angle: Double) throws -> FaceKeypoints {
        func point(_ x: Double, _ y: Double) -> PicturePoint {
            let u = (x - 0.5) * side
            let v = (y - 0.5) * side
            return PicturePoint(x: centreX + u * cos(angle) - v * sin(angle), y: centreY + u * sin(angle) + v * cos(angle))
        }
        return try #require(
            FaceKeypoints(points: [
                point(0.315, 0.39), point(0.685, 0.39), point(0.5, 0.6), point(0.5, 0.78), point(0.12, 0.46), point(0.88, 0.46),
            ]))
    }

    @Test("Average proportions give back the average frame, level and turned", arguments: [0.0, 0.3, -0.6])
    func framesAverageFace(angle: Double) throws {
        let area = FaceFraming.area(for: try keypoints(side: 200, centreX: 320, centreY: 240, angle: angle))
        #expect(close(area.width, 200, within: 0.5))
        #expect(close(area.height, area.width, within: 1e-9))
        #expect(close(area.centreX, 320, within: 1))
        #expect(close(area.centreY, 240, within: 1))
        #expect(close(area.angleRadians, angle, within: 1e-9))
    }

    @Test("A head turned aside keeps its size, though the eyes come together")
    func keepsSizeOfTurnedHead() throws {
        var turned = try keypoints(side: 200, centreX: 320, centreY: 240, angle: 0)
        turned.rightEye.x += 15
        turned.leftEye.x -= 15
        #expect(close(FaceFraming.area(for: turned).width, 200, within: 0.5))
    }

    @Test("Without keypoints the box is framed")
    func framesBox() {
        let box = RotatedRectangle(centreX: 50, centreY: 60, width: 40, height: 40, angleRadians: 0)
        let area = FaceFraming.area(for: TrackedFace(box: box, detectorScore: 1, keypoints: nil))
        #expect(area.centreX == 50 && area.angleRadians == 0 && area.width == area.height)
        #expect((30...60).contains(area.width))
    }

    @Test("A picture that is a face already is taken by its middle square")
    func takesMiddleSquare() throws {
        let picture = try #require(RGBImage(width: 60, height: 48, pixels: [UInt8](repeating: 9, count: 60 * 48 * 3)))
        let area = FaceFraming.wholeArea(of: picture)
        #expect(area == RotatedRectangle(centreX: 30, centreY: 24, width: 48, height: 48, angleRadians: 0))
    }
}
