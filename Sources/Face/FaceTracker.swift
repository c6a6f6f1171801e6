import Media

/// Keeps the main viewer apart from the other faces in the picture.
///
/// A pure state machine: faces in, the viewer out; the largest face at first, then the same person, told by place and
/// size. No clock, no pictures: it is made anew for every segment, and depends on nothing before it.
package struct FaceTracker: Sendable {
    package struct Settings: Sendable, Equatable {
        /// Same person: at least this overlap (intersection over union) from one frame to the next ...
        package var sameFaceOverlap = 0.2
        /// ... or the centres closer than this share of the face's size, for quick moves ...
        package var sameFaceDistance = 0.6
        /// ... and in both cases a size that has changed by no more than this factor.
        package var sameFaceSizeRatio = 1.6
        /// How many updates in a row the viewer may be missing before the largest of whoever is in the picture takes the place.
        /// Few: a cut to another person is more frequent than a hand before the face.
        package var patienceUpdates = 1

        package init() {}
    }

    /// The viewer where last seen; nil if there is none, or the place has been given up.
    package private(set) var viewer: DetectedFace?
    /// How many viewers there have been, one after the other.
    package private(set) var viewerCount = 0
    /// Updates since the viewer was seen; 0 if seen in the last one.
    private var missedUpdates = 0
    private let settings: Settings

    package init(settings: Settings = Settings()) {
        self.settings = settings
    }

    /// The faces of the next frame that was looked at.
    ///
    /// - Returns: The viewer among them; nil if not there.
    package mutating func advance(_ faces: [DetectedFace]) -> DetectedFace? {
        if let last = viewer {
            if let same = bestMatch(of: last, among: faces) {
                viewer = same
                missedUpdates = 0
                return same
            }
            missedUpdates += 1
            guard missedUpdates > settings.patienceUpdates else { return nil }
        }
        missedUpdates = 0
        // Equal sizes: the first one, which is the detector's best.
        viewer = faces.reduce(nil) { largest, face in
            guard let largest else { return face }
            return face.box.sizePixels > largest.box.sizePixels ? face : largest
        }
        if viewer != nil { viewerCount += 1 }
        return viewer
    }

    /// The face that is the same person as `last`; nil if there is none.
    package func bestMatch(of last: DetectedFace, among faces: [DetectedFace]) -> DetectedFace? {
        var best: (face: DetectedFace, closeness: Double)?
        for face in faces {
            guard let closeness = closeness(last.box, face.box) else { continue }
            if best.map({ closeness > $0.closeness }) ?? true { best = (face, closeness) }
        }
        return best?.face
    }

    /// How well two boxes fit one person, larger is better; nil if they do not.
    private func closeness(_ a: RotatedRectangle, _ b: RotatedRectangle) -> Double? {
        let ratio = a.sizePixels / b.sizePixels
        guard ratio <= settings.sameFaceSizeRatio, 1 / ratio <= settings.sameFaceSizeRatio else { return nil }
        let dx = a.centreX - b.centreX
        let dy = a.centreY - b.centreY
        let distance = (dx * dx + dy * dy).squareRoot() / max(a.sizePixels, b.sizePixels)
        let overlap = a.overlap(with: b)
        guard overlap >= settings.sameFaceOverlap || distance <= settings.sameFaceDistance else { return nil }
        return overlap - distance
    }
}
