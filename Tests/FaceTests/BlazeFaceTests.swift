import Face
import Media
import Testing

@Suite("BlazeFace gives what MediaPipe's own post-processing gives")
struct BlazeFaceTests {
    struct Golden: Decodable {
        struct Face: Decodable {
            /// Left, top, right, bottom in the unit square.
            var box: [Double]
            var keypoints: [Double]
            var score: Double
        }
        struct Synthetic: Decodable {
            struct Entry: Decodable {
                var anchor: Int
                var logit: Float
                var values: [Float]
            }
            var entries: [Entry]
            var faces: [Face]
        }
        struct Network: Decodable {
            var anchorCount: Int
            var synthetic: Synthetic
            var picture: [Face]
        }
        var short: Network
        var full: Network

        subscript(range: BlazeFace.Range) -> Network {
            switch range {
            case .short: short
            case .full: full
            }
        }
    }

    private let golden: Golden

    init() throws {
        golden = try Fixtures.decode(Golden.self, from: "blazeface.json")
    }

    @Test(
        "Raw numbers become the reference's faces: anchors, decoding, merging of what overlaps",
        arguments: [BlazeFace.Range.short, .full])
    func decodesRawNumbers(range: BlazeFace.Range) throws {
        let expected = golden[range]
        let output = range.output
        #expect(output.anchorCount == expected.anchorCount)
        var regressors = [Float](repeating: 0, count: 16 * output.anchorCount)
        var scores = [Float](repeating: -20, count: output.anchorCount)
        for entry in expected.synthetic.entries {
            regressors.replaceSubrange(entry.anchor * 16..<entry.anchor * 16 + 16, with: entry.values)
            scores[entry.anchor] = entry.logit
        }
        let faces = output.faces(regressors: regressors, scores: scores, scoreThreshold: 0.5)
        try #require(faces.count == expected.synthetic.faces.count)
        for (face, reference) in zip(faces, expected.synthetic.faces) {
            #expect(close(face.score, reference.score, within: 1e-5))
            let edges = [
                face.centreX - face.width / 2, face.centreY - face.height / 2, face.centreX + face.width / 2,
                face.centreY + face.height / 2,
            ]
            #expect(zip(edges + face.keypoints, reference.box + reference.keypoints).allSatisfy { close($0, $1, within: 1e-5) })
        }
    }

    @Test(
        "A drawn face is found where OpenVINO's Python interface finds it, to a hundredth of a pixel",
        arguments: [(BlazeFace.Range.short, "face-128.png", 128.0), (.full, "face-192.png", 192.0)])
    func findsDrawnFace(range: BlazeFace.Range, name: String, side: Double) throws {
        let picture = try Fixtures.picture(name)
        let detector = try BlazeFace(range, modelsPath: Fixtures.detectors)
        let faces = try detector.faces(in: picture, square: RotatedRectangle(covering: picture), scoreThreshold: 0.5)
        let reference = try #require(golden[range].picture.first)
        try #require(faces.count == golden[range].picture.count)
        let face = faces[0]
        let keypoints = try #require(face.keypoints).points.flatMap { [$0.x, $0.y] }
        #expect(close(face.score, reference.score, within: 1e-4))
        let box = face.box
        let edges = [
            box.centreX - box.width / 2, box.centreY - box.height / 2, box.centreX + box.width / 2,
            box.centreY + box.height / 2,
        ]
        for (value, expected) in zip(edges + keypoints, reference.box + reference.keypoints) {
            #expect(close(value, expected * side, within: 0.01))
        }
    }

    @Test("Numbers that are not finite give no face, and do not stop the others")
    func survivesNonsense() {
        let output = BlazeFace.Range.short.output
        var regressors = [Float](repeating: 0, count: 16 * output.anchorCount)
        var scores = [Float](repeating: -20, count: output.anchorCount)
        for (anchor, value) in [(0, Float.nan), (100, .infinity), (200, 30), (300, -5), (400, 1e30)] {
            regressors.replaceSubrange(anchor * 16..<anchor * 16 + 16, with: repeatElement(value, count: 16))
            scores[anchor] = 5
        }
        scores[500] = .nan
        let faces = output.faces(regressors: regressors, scores: scores, scoreThreshold: 0.5)
        #expect(faces.count == 1)
        #expect(faces.first.map { close($0.width, 30.0 / 128, within: 1e-6) } == true)
    }

    @Test("A missing or foreign file is an error that names it")
    func namesMissingFile() {
        #expect { _ = try BlazeFace(.short, modelsPath: "/nowhere") } throws: { "\($0)".contains("/nowhere") }
    }
}
