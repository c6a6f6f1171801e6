import Media

/// How well a face can be seen.
public struct FaceQuality: Sendable, Equatable {
    /// The side of the face's frame in the video, in pixels.
    public var sizePixels: Double
    /// Variance of the Laplacian of the crop that the network is shown, in squared grey levels (Pech-Pacheco et al. 2000).
    public var sharpness: Double
    /// Mean grey level of that crop, 0 black to 1 white.
    public var brightness: Double
    /// Standard deviation of its grey levels, 0 to 0.5.
    public var contrast: Double
    /// Share of the face's frame that lies inside the picture, 0 to 1.
    public var visibleShare: Double

    public init(sizePixels: Double, sharpness: Double, brightness: Double, contrast: Double, visibleShare: Double) {
        self.sizePixels = sizePixels
        self.sharpness = sharpness
        self.brightness = brightness
        self.contrast = contrast
        self.visibleShare = visibleShare
    }
}

/// Why a face that was found is not read: a guess would be worse than none.
public enum UnusableFace: String, Sendable, Equatable, CaseIterable {
    case tooSmall, tooDark, tooBright, tooBlurred, cutOff
    /// The detector, or the mesh network, doubts that it is a face: mostly something hides it.
    case doubtful
    /// The head is turned so far aside, up or down that half of the expression is hidden.
    case turnedAway
}

/// Below these a face counts as not usable.
public struct FaceQualityLimits: Sendable, Equatable {
    /// Side of the face's frame, in pixels.
    public var leastSizePixels = 28.0
    public var leastBrightness = 0.06
    public var mostBrightness = 0.95
    /// Black on black and white on white.
    public var leastContrast = 0.025
    /// Squared grey levels.
    public var leastSharpness = 4.0
    public var leastVisibleShare = 0.6
    /// 0 to 1.
    public var leastDetectorScore = 0.6
    /// 0 to 1.
    public var leastMeshPresence = FaceMesh.leastPresence
    /// To either side. The mesh's second eye is hidden from about here.
    public var mostYawDegrees = 55.0
    /// Up or down.
    public var mostPitchDegrees = 40.0

    public init() {}

    /// The first limit that a face does not meet; nil if it meets them all.
    public func reason(against quality: FaceQuality, detectorScore: Double, head: Head) -> UnusableFace? {
        if quality.sizePixels < leastSizePixels { return .tooSmall }
        if quality.visibleShare < leastVisibleShare { return .cutOff }
        if quality.brightness < leastBrightness { return .tooDark }
        if quality.brightness > mostBrightness { return .tooBright }
        if quality.contrast < leastContrast { return quality.brightness < 0.5 ? .tooDark : .tooBright }
        if quality.sharpness < leastSharpness { return .tooBlurred }
        guard detectorScore >= leastDetectorScore, head.meshPresence >= leastMeshPresence else { return .doubtful }
        if let pose = head.pose, abs(pose.yawDegrees) > mostYawDegrees || abs(pose.pitchDegrees) > mostPitchDegrees {
            return .turnedAway
        }
        return nil
    }
}

extension FaceQuality {
    /// - Parameters:
    ///   - crop: What the network is shown of `area`.
    ///   - area: The face's frame in `picture`.
    package init(crop: GreyImage, area: RotatedRectangle, in picture: some PictureSource) {
        let grey = crop.greyLevels
        self.init(
            sizePixels: area.sizePixels, sharpness: crop.laplacianVariance, brightness: grey.mean / 255,
            contrast: grey.standardDeviation / 255,
            visibleShare: area.shareInside(width: Double(picture.width), height: Double(picture.height)))
    }
}

extension GreyImage {
    fileprivate var greyLevels: (mean: Double, standardDeviation: Double) {
        var sum = 0
        var sumOfSquares = 0
        for pixel in pixels {
            sum += Int(pixel)
            sumOfSquares += Int(pixel) * Int(pixel)
        }
        return Self.meanAndDeviation(sum: sum, sumOfSquares: sumOfSquares, count: pixels.count)
    }

    /// Variance of the four-neighbour Laplacian over the inner pixels, in squared grey levels; 0 for a picture without any.
    package var laplacianVariance: Double {
        guard width > 2, height > 2 else { return 0 }
        // Whole numbers: the sum is exact, in whatever order the compiler adds.
        var sum = 0
        var sumOfSquares = 0
        pixels.withUnsafeBufferPointer { grey in
            for row in 1..<height - 1 {
                for column in 1..<width - 1 {
                    let at = row * width + column
                    let neighbours = Int(grey[at - 1]) + Int(grey[at + 1]) + Int(grey[at - width]) + Int(grey[at + width])
                    let laplacian = neighbours - 4 * Int(grey[at])
                    sum += laplacian
                    sumOfSquares += laplacian * laplacian
                }
            }
        }
        let deviation = Self.meanAndDeviation(
            sum: sum, sumOfSquares: sumOfSquares, count: (width - 2) * (height - 2)
        ).standardDeviation
        return deviation * deviation
    }

    private static func meanAndDeviation(
        sum: Int, sumOfSquares: Int, count: Int
    ) -> (mean: Double, standardDeviation: Double) {
        guard count > 0 else { return (0, 0) }
        let mean = Double(sum) / Double(count)
        return (mean, max(0, Double(sumOfSquares) / Double(count) - mean * mean).squareRoot())
    }
}

extension RotatedRectangle {
    /// Share of the rectangle's upright outline that lies inside a picture of this size, 0 to 1. The rotation is not looked
    /// at: faces are turned by little, and the limit is coarse.
    fileprivate func shareInside(width pictureWidth: Double, height pictureHeight: Double) -> Double {
        let insideWidth = min(pictureWidth, centreX + width / 2) - max(0, centreX - width / 2)
        let insideHeight = min(pictureHeight, centreY + height / 2) - max(0, centreY - height / 2)
        guard insideWidth > 0, insideHeight > 0, width * height > 0 else { return 0 }
        return insideWidth * insideHeight / (width * height)
    }
}
