import Media

/// What one frame says of the skin: the mean colour of each region, or why there is none.
public struct SkinSample: Sendable, Equatable {
    /// When the frame is shown, media time.
    public var ptsNanoseconds: Int64
    public var outcome: Outcome

    public enum Outcome: Sendable, Equatable {
        case usable(SkinColours)
        case unusable(SkinProblem)
    }

    public init(ptsNanoseconds: Int64, outcome: Outcome) {
        self.ptsNanoseconds = ptsNanoseconds
        self.outcome = outcome
    }
}

/// The skin of one frame.
public struct SkinColours: Sendable, Equatable {
    /// At least one region, each at most once.
    public var regions: [SkinRegion: ColourMean]
    /// nil while the regions follow the face, and their colours one another, without a jump. Else what the colours from here on continue: where
    /// the regions were placed anew (a new segment of the video), the same frame measured in the regions as they were before; after a jump of
    /// the colour, the last frame before it. The ratio joins the pieces. Empty if there were no regions before: then nothing from before
    /// this frame can be joined.
    public var regionsBeforeJump: [SkinRegion: ColourMean]?
    /// The face, where a network is to look at it (`SkinSamplerSettings.pictureSidePixels`).
    public var picture: RGBImage?

    public init(
        regions: [SkinRegion: ColourMean], regionsBeforeJump: [SkinRegion: ColourMean]? = nil, picture: RGBImage? = nil
    ) {
        self.regions = regions
        self.regionsBeforeJump = regionsBeforeJump
        self.picture = picture
    }
}

/// A part of the skin. Right and left are the person's own.
public enum SkinRegion: String, Sendable, CaseIterable, Hashable {
    case forehead
    /// The side of the face below the brows, without eye and mouth.
    case rightCheek, leftCheek
    /// All that was measured: a finger on the lens, or means that come from elsewhere.
    case whole
}

/// The mean colour of an area, gamma-encoded as in the video (BT.601 or BT.709 RGB), 0...255 a channel.
public struct ColourMean: Sendable, Equatable {
    public var red, green, blue: Double
    /// How many pixels it is the mean of.
    public var pixelCount: Int

    public init(red: Double, green: Double, blue: Double, pixelCount: Int) {
        self.red = red
        self.green = green
        self.blue = blue
        self.pixelCount = pixelCount
    }
}

/// Why a frame gives no skin colour.
public enum SkinProblem: String, Sendable, CaseIterable {
    case noFace
    /// Fewer pixels of skin than the settings ask for.
    case faceTooSmall
    /// The head moved or turned too fast for the regions to stay on the same skin.
    case faceMoving
    /// Something is before the face, or it is turned away too far.
    case faceHidden
    /// Exposure, light or what is seen of the skin changed at once.
    case colourJumping
    case tooDark
    case tooBright
}
