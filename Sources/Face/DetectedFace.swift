import Media

/// A face as a detector sees it, in pixels of the upright picture.
public struct DetectedFace: Sendable, Equatable {
    /// The detector's box: from the eyebrows to the chin for BlazeFace, somewhat wider for the Haar cascade. Upright.
    public var box: RotatedRectangle
    /// How sure the detector is, 0 to 1. The Haar cascade gives no number: 1.
    public var score: Double
    /// Where eyes, nose, mouth and ears are; nil with the Haar cascade, which does not tell.
    public var keypoints: FaceKeypoints?

    public init(box: RotatedRectangle, score: Double, keypoints: FaceKeypoints?) {
        self.box = box
        self.score = score
        self.keypoints = keypoints
    }
}

/// Six points of a face, in pixels. Left and right are the person's own: the right eye lies on the picture's left.
public struct FaceKeypoints: Sendable, Equatable {
    public var rightEye: PicturePoint
    public var leftEye: PicturePoint
    public var noseTip: PicturePoint
    public var mouth: PicturePoint
    /// The notch in front of the ear.
    public var rightTragion: PicturePoint
    public var leftTragion: PicturePoint

    /// All six, in the order in which BlazeFace gives them.
    public var points: [PicturePoint] { [rightEye, leftEye, noseTip, mouth, rightTragion, leftTragion] }

    /// - Parameter points: Six points in the order of `points`; nil if there are not six.
    public init?(points: [PicturePoint]) {
        guard points.count == 6 else { return nil }
        rightEye = points[0]
        leftEye = points[1]
        noseTip = points[2]
        mouth = points[3]
        rightTragion = points[4]
        leftTragion = points[5]
    }
}

/// A point in a picture, in pixels: x to the right, y down, from the upper left corner of the upper left pixel.
public struct PicturePoint: Sendable, Equatable {
    public var x: Double
    public var y: Double

    public init(x: Double, y: Double) {
        self.x = x
        self.y = y
    }

    static func midpoint(_ a: PicturePoint, _ b: PicturePoint) -> PicturePoint {
        PicturePoint(x: (a.x + b.x) / 2, y: (a.y + b.y) / 2)
    }

    package func distance(to other: PicturePoint) -> Double {
        let dx = x - other.x
        let dy = y - other.y
        return (dx * dx + dy * dy).squareRoot()
    }
}

extension RotatedRectangle {
    /// Intersection over union of two upright boxes, 0 to 1. Rotation is not looked at.
    package func overlap(with other: RotatedRectangle) -> Double {
        let commonWidth =
            min(centreX + width / 2, other.centreX + other.width / 2)
            - max(centreX - width / 2, other.centreX - other.width / 2)
        let commonHeight =
            min(centreY + height / 2, other.centreY + other.height / 2)
            - max(centreY - height / 2, other.centreY - other.height / 2)
        guard commonWidth > 0, commonHeight > 0 else { return 0 }
        let common = commonWidth * commonHeight
        let union = width * height + other.width * other.height - common
        return union > 0 ? common / union : 0
    }

    /// The longer side, in pixels.
    package var sizePixels: Double { max(width, height) }

    /// An upright square.
    static func square(centreX: Double, centreY: Double, side: Double) -> RotatedRectangle {
        RotatedRectangle(centreX: centreX, centreY: centreY, width: side, height: side, angleRadians: 0)
    }
}
