import Face
import Media
import Testing

@Suite("The tracker keeps to the main viewer")
struct FaceTrackerTests {
    /// A face of `size` pixels in the middle of (x, y).
    private func face(_ x: Double, _ y: Double, _ size: Double) -> DetectedFace {
        DetectedFace(
            box: RotatedRectangle(centreX: x, centreY: y, width: size, height: size, angleRadians: 0), score: 0.9,
            keypoints: nil)
    }

    /// Plays frames, and names the face that was the viewer in each: its letter in `faces`, "-" for none.
    private func viewers(_ frames: [String], _ faces: [Character: DetectedFace]) -> String {
        var tracker = FaceTracker(settings: FaceTracker.Settings())
        return String(
            frames.map { frame -> Character in
                let present = frame.filter { $0 != "." }
                guard let viewer = tracker.advance(present.compactMap { faces[$0] }) else { return "-" }
                return present.first { faces[$0] == viewer } ?? "?"
            })
    }

    // Each frame lists the faces in it. A and a, B and b are the same person, a little further on.
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var frames: [String]
        var viewers: String
    }

    static let cases: [Case] = [
        Case(testDescription: "the largest at first", frames: ["SL", "LS"], viewers: "LL"),
        Case(testDescription: "the same person, though a larger one comes", frames: ["A", "AL", "aL", "L"], viewers: "AAa-"),
        Case(testDescription: "a quick move without overlap", frames: ["A", "q"], viewers: "Aq"),
        Case(testDescription: "of two that fit, the nearer one", frames: ["A", "qa"], viewers: "Aa"),
        Case(testDescription: "nobody", frames: [".", ".", "A", "."], viewers: "--A-"),
        Case(testDescription: "back after one update: the viewer still", frames: ["A", "L", "aL"], viewers: "A-a"),
        Case(testDescription: "gone for longer: the largest of the others", frames: ["A", "SL", "SL", "aL"], viewers: "A-LL"),
        Case(testDescription: "gone from an empty picture for longer: whoever comes next", frames: ["A", ".", ".", "S"], viewers: "A--S"),
        Case(testDescription: "a face of twice the size in the same place is another one", frames: ["A", "T"], viewers: "A-"),
    ]

    @Test(arguments: cases)
    func keeps(_ example: Case) {
        let faces: [Character: DetectedFace] = [
            "A": face(100, 100, 60), "a": face(106, 97, 63), "q": face(133, 100, 60), "S": face(300, 80, 40),
            "L": face(400, 200, 120), "T": face(100, 100, 130),
        ]
        #expect(viewers(example.frames, faces) == example.viewers)
    }

    @Test("Two faces of one size: the detector's first")
    func prefersFirstOfEqualSize() {
        var tracker = FaceTracker()
        let first = face(300, 80, 40)
        #expect(tracker.advance([first, face(10, 80, 40)]) == first)
    }
}
