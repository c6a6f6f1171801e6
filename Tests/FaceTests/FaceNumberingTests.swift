import Face
import Media
import Testing

@Suite("Faces keep their numbers")
struct FaceNumberingTests {
    private func face(_ x: Double) -> DetectedFace {
        DetectedFace(box: RotatedRectangle(centreX: x, centreY: 80, width: 50, height: 50), score: 0.9, keypoints: nil)
    }

    @Test("in whatever order they are seen, when they move, and when they are hidden for a while")
    func keepsNumbers() {
        var numbering = FaceNumbering()
        #expect(numbering.advance([face(100), face(300)]) == [1, 2])
        #expect(numbering.advance([face(310), face(95)]) == [2, 1])
        #expect(numbering.advance([face(315)]) == [2])
        #expect(numbering.present == [face(315)])
        #expect(numbering.advance([face(500), face(90), face(320)]) == [3, 1, 2])
    }

    @Test("and who comes after one who is long gone is another")
    func givesUpNumbers() {
        var numbering = FaceNumbering()
        #expect(numbering.advance([face(100)]) == [1])
        for _ in 0..<9 { #expect(numbering.advance([]) == []) }
        #expect(numbering.advance([face(100)]) == [2])
    }
}
