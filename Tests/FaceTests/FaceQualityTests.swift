import Face
import Media
import Testing

@Suite("Quality says how well a face can be seen")
struct FaceQualityTests {
    struct Golden: Decodable {
        struct Point: Decodable {
            var x, y: Int
            var grey: UInt8
        }
        var luma: [Point]
        var laplacianVariance: Double
        var boxes: [String: [[Int32]]]
    }

    private func flat(_ grey: UInt8, size: Int = 20) throws -> RGBImage {
        try #require(RGBImage(width: size, height: size, pixels: [UInt8](repeating: grey, count: size * size * 3)))
    }

    private func quality(_ picture: RGBImage, area: RotatedRectangle? = nil) -> FaceQuality {
        FaceQuality(crop: GreyImage(picture), area: area ?? RotatedRectangle(covering: picture), in: picture)
    }

    @Test("Grey levels and the Laplacian's variance are OpenCV's")
    func matchesOpenCV() throws {
        let golden = try Fixtures.decode(Golden.self, from: "haar.json")
        let grey = GreyImage(try Fixtures.picture("face-320x240.png"))
        for point in golden.luma { #expect(grey.pixels[point.y * grey.width + point.x] == point.grey) }
        #expect(close(grey.laplacianVariance, golden.laplacianVariance, within: 0.5))
    }

    @Test("A checkerboard's brightness, contrast and sharpness are what a pencil gives")
    func measuresCheckerboard() throws {
        let size = 10
        let pixels = (0..<size * size).flatMap { index -> [UInt8] in
            let grey: UInt8 = (index / size + index % size) % 2 == 0 ? 0 : 200
            return [grey, grey, grey]
        }
        let measured = quality(try #require(RGBImage(width: size, height: size, pixels: pixels)))
        #expect(close(measured.brightness, 100.0 / 255, within: 1e-9))
        #expect(close(measured.contrast, 100.0 / 255, within: 1e-9))
        // Each pixel's Laplacian is +800 or -800.
        #expect(close(measured.sharpness, 640_000, within: 1e-6))
        #expect(measured.sizePixels == 10 && measured.visibleShare == 1)
    }

    @Test("A face that reaches over the edge is visible in part")
    func measuresVisibleShare() throws {
        let picture = try flat(100)
        let area = RotatedRectangle(centreX: 0, centreY: 15, width: 20, height: 20, angleRadians: 0)
        #expect(close(quality(picture, area: area).visibleShare, 0.5 * 0.75, within: 1e-9))
    }

    @Test("Each limit has its reason, and a good face has none")
    func tellsReasons() {
        let limits = FaceQualityLimits()
        let good = FaceQuality(sizePixels: 150, sharpness: 300, brightness: 0.45, contrast: 0.2, visibleShare: 1)
        var score = 0.9
        var head = Head(
            meshPresence: 1, pose: HeadPose(yawDegrees: 5, pitchDegrees: -5, rollDegrees: 30), eyeAspectRatio: 0.3)
        func reason(_ change: (inout FaceQuality) -> Void) -> UnusableFace? {
            var changed = good
            change(&changed)
            return limits.reason(against: changed, detectorScore: score, head: head)
        }
        #expect(reason { _ in } == nil)
        #expect(reason { $0.sizePixels = 20 } == .tooSmall)
        #expect(reason { $0.visibleShare = 0.4 } == .cutOff)
        #expect(reason { $0.brightness = 0.02 } == .tooDark)
        #expect(reason { $0.brightness = 0.99 } == .tooBright)
        #expect(reason { $0.contrast = 0.01 } == .tooDark)
        #expect(reason { $0.brightness = 0.8; $0.contrast = 0.01 } == .tooBright)
        #expect(reason { $0.sharpness = 1 } == .tooBlurred)
        head.pose?.yawDegrees = -70
        #expect(reason { _ in } == .turnedAway)
        head.pose = HeadPose(yawDegrees: 0, pitchDegrees: -60, rollDegrees: 0)
        #expect(reason { _ in } == .turnedAway)
        head = Head(meshPresence: 0.2, pose: nil, eyeAspectRatio: nil)
        #expect(reason { _ in } == .doubtful)
        head.meshPresence = 1
        score = 0.3
        #expect(reason { _ in } == .doubtful)
    }
}
