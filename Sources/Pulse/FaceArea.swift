import Foundation

/// Where a face is, as plain geometry: what `SkinSampler` needs of a face finder.
public struct FaceArea: Sendable, Equatable {
    /// Pixels (x to the right, y down), in BlazeFace's order: right eye, left eye, nose tip, mouth, right ear, left ear (the person's own right
    /// and left; ears at the tragion).
    public var keypoints: [SIMD2<Double>]

    /// - Parameter keypoints: Six points.
    /// - Returns: nil unless there are six finite points and the eyes lie apart.
    public init?(keypoints: [SIMD2<Double>]) {
        guard keypoints.count == 6, keypoints.allSatisfy({ $0.x.isFinite && $0.y.isFinite }),
            hypot(keypoints[0].x - keypoints[1].x, keypoints[0].y - keypoints[1].y) > 1
        else { return nil }
        self.keypoints = keypoints
    }
}

/// Where the skin is in a picture: the oval of the face without eyes and mouth, in three parts.
///
/// The six keypoints span a frame of reference: the origin between the eyes, one unit the distance of the eyes, x to the
/// person's left, y down the face. The parts are the forehead (above the brows), and both sides below it, parted along the nose. A
/// side that is turned away from the camera is left out. As large an area as can be is taken, a short beard included: the
/// noise of camera and codec falls with the number of pixels, and a thin beard hides less than it costs to leave out.
public struct SkinGeometry: Sendable, Equatable {
    /// The outline of each part and of the holes in it (even-odd), pixels.
    public var outlines: [SkinRegion: [[SIMD2<Double>]]]
    /// The distance of the eyes, the unit of the geometry, pixels.
    public var eyeDistancePixels: Double

    /// - Parameter keypoints: Six points as in `FaceArea`.
    public init(keypoints: [SIMD2<Double>]) {
        let (rightEye, leftEye) = (keypoints[0], keypoints[1])
        let unit = hypot(leftEye.x - rightEye.x, leftEye.y - rightEye.y)
        let across = (leftEye - rightEye) / unit
        let down = SIMD2(-across.y, across.x)
        let origin = (rightEye + leftEye) / 2
        func onFace(_ point: SIMD2<Double>) -> SIMD2<Double> {
            let offset = (point - origin) / unit
            return SIMD2((offset * across).sum(), (offset * down).sum())
        }
        func inPicture(_ points: [SIMD2<Double>]) -> [SIMD2<Double>] {
            points.map { origin + unit * ($0.x * across + $0.y * down) }
        }

        let mouth = onFace(keypoints[3])
        let middle = min(0.4, max(-0.4, (onFace(keypoints[2]).x + mouth.x) / 2))
        let oval = FaceOval(
            middle: middle, right: min(0.95, -onFace(keypoints[4]).x + middle),
            left: min(0.95, onFace(keypoints[5]).x - middle), bottom: min(2.2, max(1.2, 1.5 * mouth.y)))

        outlines = [.forehead: [inPicture(oval.arc(from: -FaceOval.quarter, to: FaceOval.quarter))]]
        for (region, side) in [(SkinRegion.rightCheek, -1.0), (.leftCheek, 1.0)] where oval.width(side) > 0.45 {
            outlines[region] = [
                inPicture(
                    [SIMD2(middle, FaceOval.browLine)]
                        + oval.arc(from: side * FaceOval.quarter, to: side * .pi) + [SIMD2(middle, oval.bottom)]),
                inPicture(ellipse(centre: SIMD2(0.5 * side, 0), radii: SIMD2(0.33, 0.2))),
                inPicture(halfEllipse(centre: SIMD2(middle, mouth.y), radii: SIMD2(0.5, 0.25), side: side)),
            ]
        }
        eyeDistancePixels = unit
    }
}

/// The oval of a face, in units of the eye distance.
private struct FaceOval {
    static let top = -0.95
    static let browLine = -0.35
    /// The height at which the oval is widest.
    static let centre = 0.35
    /// Where the brow line meets the oval: the angle from its top.
    static let quarter = acos((centre - browLine) / (centre - top))

    var middle, right, left, bottom: Double

    func width(_ side: Double) -> Double { side < 0 ? right : left }

    /// Points from one angle to another: 0 is the top, positive goes to the person's left, pi is the chin.
    func arc(from start: Double, to end: Double) -> [SIMD2<Double>] {
        let steps = 16
        return (0...steps).map { step in
            let angle = start + (end - start) * Double(step) / Double(steps)
            let height = cos(angle) > 0 ? Self.centre - Self.top : bottom - Self.centre
            return SIMD2(middle + max(0, width(angle)) * sin(angle), Self.centre - height * cos(angle))
        }
    }
}

private func ellipse(centre: SIMD2<Double>, radii: SIMD2<Double>) -> [SIMD2<Double>] {
    (0..<16).map { step in
        let angle = 2 * .pi * Double(step) / 16
        return centre + radii * SIMD2(cos(angle), sin(angle))
    }
}

private func halfEllipse(centre: SIMD2<Double>, radii: SIMD2<Double>, side: Double) -> [SIMD2<Double>] {
    (0...8).map { step in
        let angle = .pi * (Double(step) / 8 - 0.5)
        return centre + radii * SIMD2(side * cos(angle), sin(angle))
    }
}
