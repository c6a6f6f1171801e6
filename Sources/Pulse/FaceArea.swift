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

/// The outlines of the skin regions in a picture, pixels.
///
/// The six keypoints span a frame of reference: the origin between the eyes, one unit the distance of the eyes, x to the
/// person's left, y down the face. Forehead: above the brows, below the hairline of most heads. Cheeks: between the lower lid and
/// the corner of the mouth, from the wing of the nose to half-way to the ear. A cheek that is turned away is left out.
public struct SkinGeometry: Sendable, Equatable {
    /// Four corners each.
    public var outlines: [SkinRegion: [SIMD2<Double>]]
    /// The distance of the eyes, the unit of the geometry, pixels.
    public var eyeDistancePixels: Double

    /// - Parameter keypoints: Six points as in `FaceArea`.
    public init(keypoints: [SIMD2<Double>]) {
        let (rightEye, leftEye) = (keypoints[0], keypoints[1])
        let unit = hypot(leftEye.x - rightEye.x, leftEye.y - rightEye.y)
        let across = SIMD2<Double>(x: (leftEye.x - rightEye.x) / unit, y: (leftEye.y - rightEye.y) / unit)
        let down = SIMD2<Double>(x: -across.y, y: across.x)
        let origin = SIMD2<Double>(x: (rightEye.x + leftEye.x) / 2, y: (rightEye.y + leftEye.y) / 2)

        /// In units of the eye distance.
        func onFace(_ point: SIMD2<Double>) -> SIMD2<Double> {
            let (dx, dy) = ((point.x - origin.x) / unit, (point.y - origin.y) / unit)
            return SIMD2<Double>(x: dx * across.x + dy * across.y, y: dx * down.x + dy * down.y)
        }
        func outline(_ xs: ClosedRange<Double>, _ ys: ClosedRange<Double>) -> [SIMD2<Double>] {
            [
                (xs.lowerBound, ys.lowerBound), (xs.upperBound, ys.lowerBound), (xs.upperBound, ys.upperBound),
                (xs.lowerBound, ys.upperBound),
            ].map { x, y in
                SIMD2<Double>(
                    x: origin.x + unit * (x * across.x + y * down.x), y: origin.y + unit * (x * across.y + y * down.y))
            }
        }

        let (nose, mouth) = (onFace(keypoints[2]), onFace(keypoints[3]))
        let (rightEar, leftEar) = (onFace(keypoints[4]), onFace(keypoints[5]))
        let cheekTop = 0.38 * mouth.y
        let cheekBottom = 0.82 * mouth.y
        var outlines: [SkinRegion: [SIMD2<Double>]] = [:]
        outlines[.forehead] = outline(-0.45...0.45, -0.78 ... -0.45)
        // Half-way from the eye (at 0.5) to the ear, and no farther than 0.85, where beards and shadows begin.
        let rightEdge = max(-0.85, (-0.5 + rightEar.x) / 2)
        let leftEdge = min(0.85, (0.5 + leftEar.x) / 2)
        if cheekBottom > cheekTop {
            let (rightWing, leftWing) = (nose.x - 0.30, nose.x + 0.30)
            if rightWing - rightEdge > 0.15 {
                outlines[.rightCheek] = outline(rightEdge...rightWing, cheekTop...cheekBottom)
            }
            if leftEdge - leftWing > 0.15 {
                outlines[.leftCheek] = outline(leftWing...leftEdge, cheekTop...cheekBottom)
            }
        }
        self.outlines = outlines
        eyeDistancePixels = unit
    }
}
