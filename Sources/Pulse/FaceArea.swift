import Foundation

/// Where a face is, as plain geometry: what `SkinSampler` needs of a face finder. Right and left are the person's own.
public struct FaceArea: Sendable, Equatable {
    /// Pixels (x to the right, y down), in BlazeFace's order: right eye, left eye, nose tip, mouth, right ear, left ear (ears at the tragion).
    public var keypoints: [SIMD2<Double>]
    public var contours: Contours

    /// The lines that bound the skin, pixels.
    public enum Contours: Sendable, Equatable {
        case seen(FaceContours)
        /// Not looked for in this frame: the face has the shape that it had.
        case asBefore
        /// Something is before the face, or it is turned away too far.
        case hidden
    }

    /// - Parameter keypoints: Six points.
    /// - Returns: nil unless there are six finite points and the eyes lie apart.
    public init?(keypoints: [SIMD2<Double>], contours: Contours) {
        guard keypoints.count == 6, keypoints.allSatisfy({ $0.x.isFinite && $0.y.isFinite }),
            hypot(keypoints[0].x - keypoints[1].x, keypoints[0].y - keypoints[1].y) > 1
        else { return nil }
        self.keypoints = keypoints
        self.contours = contours
    }
}

/// The lines of a face that bound its skin. Right and left are the person's own.
public struct FaceContours: Sendable, Equatable {
    /// The edge of the forehead, from the right temple over its top to the left one.
    public var forehead: [SIMD2<Double>]
    /// From between the brows along the nose and over the lips to the chin.
    public var midline: [SIMD2<Double>]
    public var right, left: Side

    public struct Side: Sendable, Equatable {
        /// The face's edge from the temple down to the chin.
        public var jaw: [SIMD2<Double>]
        /// The brow's upper and lower edge, from the nose outwards.
        public var browTop, browBottom: [SIMD2<Double>]
        /// Around the open or closed eye, along the lids.
        public var eye: [SIMD2<Double>]
        /// The outer edge of this half of the lips, from the middle of the upper one to the middle of the lower one.
        public var lips: [SIMD2<Double>]

        public init(
            jaw: [SIMD2<Double>], browTop: [SIMD2<Double>], browBottom: [SIMD2<Double>], eye: [SIMD2<Double>], lips: [SIMD2<Double>]
        ) {
            self.jaw = jaw
            self.browTop = browTop
            self.browBottom = browBottom
            self.eye = eye
            self.lips = lips
        }

        var eyeCentre: SIMD2<Double> { eye.reduce(.zero, +) / Double(eye.count) }
    }

    public init(forehead: [SIMD2<Double>], midline: [SIMD2<Double>], right: Side, left: Side) {
        self.forehead = forehead
        self.midline = midline
        self.right = right
        self.left = left
    }

    /// Of all points.
    func map(_ transform: (SIMD2<Double>) -> SIMD2<Double>) -> FaceContours {
        mapLines { line, _ in line.map(transform) }
    }

    /// - Parameters:
    ///   - other: With as many points in each line.
    ///   - share: How far on the way to `other`, 0 to 1.
    func mixed(with other: FaceContours, share: Double) -> FaceContours {
        mapLines { line, path in zip(line, other[keyPath: path]).map { $0 + share * ($1 - $0) } }
    }

    private func mapLines(
        _ transform: ([SIMD2<Double>], KeyPath<FaceContours, [SIMD2<Double>]>) -> [SIMD2<Double>]
    ) -> FaceContours {
        var result = self
        for line in Self.lines { result[keyPath: line] = transform(self[keyPath: line], line) }
        return result
    }

    private static var lines: [WritableKeyPath<FaceContours, [SIMD2<Double>]>] {
        [
            \.forehead, \.midline, \.right.jaw, \.right.browTop, \.right.browBottom, \.right.eye, \.right.lips, \.left.jaw, \.left.browTop,
            \.left.browBottom, \.left.eye, \.left.lips,
        ]
    }
}

/// A face's own frame of reference: the origin between the eyes, one unit the distance of the eyes, x to the person's left, y
/// down the face.
struct FaceFrame: Sendable, Equatable {
    /// The distance of the eyes, pixels.
    let unitPixels: Double
    private let origin, across, down: SIMD2<Double>

    /// - Parameter keypoints: Six points as in `FaceArea`.
    init(keypoints: [SIMD2<Double>]) {
        let (rightEye, leftEye) = (keypoints[0], keypoints[1])
        unitPixels = hypot(leftEye.x - rightEye.x, leftEye.y - rightEye.y)
        across = (leftEye - rightEye) / unitPixels
        down = SIMD2(-across.y, across.x)
        origin = (rightEye + leftEye) / 2
    }

    func onFace(_ point: SIMD2<Double>) -> SIMD2<Double> {
        let offset = (point - origin) / unitPixels
        return SIMD2((offset * across).sum(), (offset * down).sum())
    }

    func inPicture(_ point: SIMD2<Double>) -> SIMD2<Double> {
        origin + unitPixels * (point.x * across + point.y * down)
    }
}

/// Where the skin is in a picture, in three parts: the forehead above the brows, and both sides below them, parted along the nose, without
/// eyes and lips. A side that is turned away from the camera is left out.
///
/// As large an area as can be is taken, a short beard included: the noise of camera and codec falls with the number of pixels, and a
/// thin beard hides less than it costs to leave out.
struct SkinGeometry: Sendable, Equatable {
    /// A side that is narrower than this is turned away, eye distances.
    private static let narrowestSide = 0.45
    /// The lids and lashes that move with a blink reach beyond the lines of the mesh by this factor, across and down.
    private static let lidFactor = SIMD2(1.3, 1.7)

    /// The outline of each part and of the holes in it (even-odd), in the face's own frame of reference.
    private(set) var outlines: [SkinRegion: [[SIMD2<Double>]]]

    /// - Parameter shape: In the face's own frame of reference.
    init(shape: FaceContours) {
        outlines = [.forehead: [shape.forehead + shape.left.browTop.reversed() + shape.right.browTop]]
        let middle = shape.midline.reduce(0) { $0 + $1.x } / Double(shape.midline.count)
        for (region, side) in [(SkinRegion.rightCheek, shape.right), (.leftCheek, shape.left)] {
            let width = side.jaw.reduce(0) { max($0, abs($1.x - middle)) }
            guard width > Self.narrowestSide else { continue }
            let lids = side.eye.map { side.eyeCentre + Self.lidFactor * ($0 - side.eyeCentre) }
            outlines[region] = [side.browBottom + side.jaw + shape.midline.reversed(), lids, side.lips]
        }
    }
}
