/// Gives each face a number that it keeps from one look to the next, told by place and size.
///
/// A pure state machine, made anew for every segment. Numbers begin at 1 and are not used twice.
package struct FaceNumbering: Sendable {
    /// Looks in a row that a face may be missing before its number is given up.
    private static let patienceLooks = 8

    private struct Numbered {
        var number: Int
        var face: DetectedFace
        var missedLooks = 0
    }

    private var known: [Numbered] = []
    private var nextNumber = 1

    package init() {}

    /// The faces that were there in the last look.
    package var present: [DetectedFace] { known.filter { $0.missedLooks == 0 }.map(\.face) }

    /// The numbers of the faces in the next frame that was looked at. Who has been known for longest comes first: of two known
    /// faces that one face could be, it is the older one.
    package mutating func advance(_ faces: [DetectedFace]) -> [Int] {
        var numbers = [Int?](repeating: nil, count: faces.count)
        let tracker = FaceTracker()
        for index in known.indices {
            let open = faces.indices.filter { numbers[$0] == nil }
            if let best = tracker.bestMatch(of: known[index].face, among: open.map { faces[$0] }),
                let position = open.first(where: { faces[$0] == best })
            {
                numbers[position] = known[index].number
                known[index].face = best
                known[index].missedLooks = 0
            } else {
                known[index].missedLooks += 1
            }
        }
        known.removeAll { $0.missedLooks > Self.patienceLooks }
        return faces.indices.map { position in
            if let number = numbers[position] { return number }
            defer { nextNumber += 1 }
            known.append(Numbered(number: nextNumber, face: faces[position]))
            return nextNumber
        }
    }
}
