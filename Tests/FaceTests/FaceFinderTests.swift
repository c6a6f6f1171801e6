import Face
import Media
import Testing

@Suite("The finder reports the viewer, frame by frame")
struct FaceFinderTests {
    private let picture: RGBImage
    private let empty: RGBImage

    init() throws {
        picture = try Fixtures.picture("face-320x240.png")
        empty = try #require(RGBImage(width: 320, height: 240, pixels: [UInt8](repeating: 128, count: 320 * 240 * 3)))
    }

    /// The picture moved right and down, the edge black.
    private func moved(_ columns: Int, _ rows: Int) throws -> RGBImage {
        let area = RotatedRectangle(
            centreX: 160 - Double(columns), centreY: 120 - Double(rows), width: 320, height: 240, angleRadians: 0)
        return try picture.crop(area, outputWidth: 320, outputHeight: 240)
    }

    /// The frame of this number at 30 frames/s.
    private func find(_ frame: RGBImage, _ number: Int, with finder: FaceFinder) throws -> FaceFinding {
        try finder.find(in: frame, ptsNanoseconds: Int64(number) * 1_000_000_000 / 30)
    }

    @Test("A drawn face is found with its eyes level, and nothing in an empty picture")
    func findsFace() throws {
        let finder = try FaceFinder(modelsPath: Fixtures.detectors)
        let finding = try finder.find(in: picture, ptsNanoseconds: 0)
        let face = try #require(finding.face)
        #expect(finding.faceCount == 1)
        let eyes = try #require(face.keypoints)
        // Drawn at (150 ± 21, 98).
        #expect(close(eyes.rightEye.x, 129, within: 4) && close(eyes.leftEye.x, 171, within: 4))
        #expect(close(eyes.rightEye.y, 98, within: 4) && close(eyes.leftEye.y, 98, within: 4))
        finder.reset()
        #expect(try finder.find(in: empty, ptsNanoseconds: 0) == FaceFinding(face: nil, faceCount: 0))
    }

    @Test("Between searches of the whole picture the face is followed, in every second frame")
    func followsFace() throws {
        let finder = try FaceFinder(modelsPath: Fixtures.detectors)
        let centres = try (0..<12).map { step in
            try #require(try find(try moved(5 * step, 2 * step), step, with: finder).face).box.centreX
        }
        for step in stride(from: 0, to: 10, by: 2) {
            #expect(centres[step + 1] == centres[step])
            #expect(close(centres[step + 2] - centres[step], 10, within: 3))
        }
    }

    @Test("A face that keeps still is looked at half as often as one that moves")
    func restsAtStillFace() throws {
        let finder = try FaceFinder(modelsPath: Fixtures.detectors)
        // Still until frame 5; the second look, at frame 2, sees it keep its place, and so the third is at frame 7. Then it moves.
        let centres = try (0..<16).map { step in
            try #require(try find(try moved(6 * max(0, step - 6), 0), step, with: finder).face).box.centreX
        }
        let looks = (1..<16).filter { centres[$0] != centres[$0 - 1] }
        #expect(looks == [2, 7, 9, 11, 13, 15])
    }

    @Test("Who looks for the viewer only is told of no other face, and finds the same viewer")
    func ignoresOthers() throws {
        let counting = try FaceFinder(modelsPath: Fixtures.detectors)
        let alone = try FaceFinder(settings: .viewerOnly, modelsPath: Fixtures.detectors)
        for step in stride(from: 0, to: 90, by: 15) {
            let frame = try moved(step / 10, 0)
            #expect(try find(frame, step, with: counting).face == find(frame, step, with: alone).face)
        }
    }

    @Test("A viewer who is gone is not reported from memory in the frames that are looked at")
    func dropsViewer() throws {
        let finder = try FaceFinder(modelsPath: Fixtures.detectors)
        let faces = try [picture, picture, empty, empty, picture].enumerated().map { step, frame in
            try find(frame, step, with: finder).face != nil
        }
        #expect(faces == [true, true, false, false, true])
    }

    @Test("After a reset nothing of before is left: the same frames give the same bits")
    func forgetsOnReset() throws {
        let finder = try FaceFinder(modelsPath: Fixtures.detectors)
        let frames = try (0..<7).map { try moved(7 * $0, 3) } + [empty, picture]
        let first = try frames.enumerated().map { try find($1, $0, with: finder) }
        finder.reset()
        #expect(try frames.enumerated().map { try find($1, $0, with: finder) } == first)
    }

    @Test("A small face in a large picture is found by the full-range network")
    func findsSmallFace() throws {
        // The head 70 pixels high in 960 x 720: the face's box is 50 pixels wide.
        let small = try picture.crop(
            RotatedRectangle(centreX: 160, centreY: 120, width: 1920, height: 1440, angleRadians: 0), outputWidth: 960,
            outputHeight: 720)
        let finder = try FaceFinder(modelsPath: Fixtures.detectors)
        let face = try #require(try finder.find(in: small, ptsNanoseconds: 0).face)
        #expect((30...70).contains(face.box.width))
        #expect(close(face.box.centreX, 480 - 5, within: 6))
    }

    @Test("The Haar cascade finds what OpenCV's Python interface finds")
    func haarMatchesOpenCV() throws {
        let golden = try Fixtures.decode(FaceQualityTests.Golden.self, from: "haar.json")
        let cascade = try HaarCascade(contentsOf: Fixtures.haarCascade)
        let grey = GreyImage(picture)
        for (scale, expected) in golden.boxes {
            let boxes = try cascade.boxes(in: grey, scaleFactor: try #require(Double(scale)))
            try #require(boxes.count == expected.count)
            for (box, reference) in zip(boxes, expected) {
                // Releases of OpenCV round the windows differently.
                #expect(zip([box.x, box.y, box.width, box.height], reference).allSatisfy { abs($0 - $1) <= 2 })
            }
        }
    }

    @Test("The Haar cascade can take BlazeFace's place")
    func findsWithHaarCascade() throws {
        var settings = FaceFinderSettings()
        settings.detector = .haarCascade(path: Fixtures.haarCascade)
        let finder = try FaceFinder(settings: settings, modelsPath: "/nowhere")
        let finding = try finder.find(in: picture, ptsNanoseconds: 0)
        let face = try #require(finding.face)
        #expect(finding.faceCount == 1 && face.keypoints == nil)
        #expect(close(face.box.centreX, 150, within: 4) && close(face.box.width, 130, within: 4))
    }

    @Test("A cascade that is missing or none is an error that names it")
    func namesBadCascade() {
        for path in ["/nowhere.xml", Fixtures.path("haar.json")] {
            #expect { try HaarCascade(contentsOf: path) } throws: { "\($0)".contains(path) }
        }
    }
}
