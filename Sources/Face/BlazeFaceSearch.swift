import Media

/// Looks for faces in one picture: candidates in the whole of it, then a close-up of each.
struct BlazeFaceSearch<Picture: PictureSource> {
    let picture: Picture
    let short: BlazeFace
    let full: BlazeFace
    let settings: FaceFinderSettings

    /// The faces in the picture, each placed by its close-up.
    ///
    /// - Parameters:
    ///   - thorough: Whether to look with the full-range network too.
    ///   - known: Faces that close-ups have already shown; they come first.
    func faces(thorough: Bool, known: [DetectedFace]) throws -> [DetectedFace] {
        var faces = known
        for candidate in try candidates(thorough: thorough) where !faces.contains(where: { isSame($0, candidate) }) {
            guard let face = try closeUp(of: candidate, scoreThreshold: settings.confirmScore),
                !faces.contains(where: { isSame($0, face) })
            else { continue }
            faces.append(face)
        }
        return faces
    }

    /// The face again, seen from near: more exact, and with a score that means more.
    ///
    /// - Returns: nil if there is no face where there seemed to be one.
    func closeUp(of face: DetectedFace, scoreThreshold: Double) throws -> DetectedFace? {
        let square = RotatedRectangle.square(
            centreX: face.box.centreX, centreY: face.box.centreY, side: face.box.sizePixels * settings.closeUpScale)
        let seen = try short.faces(in: picture, square: square, scoreThreshold: scoreThreshold)
        return FaceTracker().bestMatch(of: face, among: seen)
    }

    /// What may be a face, the largest first.
    private func candidates(thorough: Bool) throws -> [DetectedFace] {
        // The whole picture in the middle of a square, with black bars.
        let square = RotatedRectangle.square(
            centreX: Double(picture.width) / 2, centreY: Double(picture.height) / 2,
            side: Double(max(picture.width, picture.height)))
        var candidates = try short.faces(in: picture, square: square, scoreThreshold: settings.shortRangeScore)
        if thorough {
            for face in try full.faces(in: picture, square: square, scoreThreshold: settings.fullRangeScore)
            where !candidates.contains(where: { isSame($0, face) }) {
                candidates.append(face)
            }
        }
        let bySize = candidates.indices.sorted {
            (candidates[$1].box.sizePixels, $0) < (candidates[$0].box.sizePixels, $1)
        }
        return bySize.prefix(settings.candidateLimit).map { candidates[$0] }
    }

    /// Each of these faces again, but for those that are gone, and for those that have become another's.
    func closeUps(of faces: [DetectedFace]) throws -> [DetectedFace] {
        var seen: [DetectedFace] = []
        for face in faces {
            guard let again = try closeUp(of: face, scoreThreshold: settings.keepScore),
                !seen.contains(where: { isSame($0, again) })
            else { continue }
            seen.append(again)
        }
        return seen
    }

    /// Two boxes on one face: the networks draw them a little differently.
    private func isSame(_ a: DetectedFace, _ b: DetectedFace) -> Bool {
        let dx = a.box.centreX - b.box.centreX
        let dy = a.box.centreY - b.box.centreY
        let reach = 0.5 * max(a.box.sizePixels, b.box.sizePixels)
        return a.box.overlap(with: b.box) > 0.3 || dx * dx + dy * dy < reach * reach
    }
}
