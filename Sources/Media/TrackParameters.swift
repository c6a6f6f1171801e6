public enum TrackKind: String, Sendable, Codable, CaseIterable {
    case audio, video
}

/// What a source is made of.
public struct SourceDescription: Sendable, Equatable {
    /// As the container says or FFmpeg estimates; `nil` where unknown (live, standard input). Bounded by
    /// `DemultiplexerOptions.maximumMediaSeconds`.
    public var durationNanoseconds: Int64?
    public var audio: TrackParameters?
    public var video: TrackParameters?
    /// A camera or a network stream that will not wait.
    public var isLive: Bool
    /// FFmpeg's name of the container, such as `mov,mp4,m4a,3gp,3g2,mj2`.
    public var formatName: String

    public init(
        durationNanoseconds: Int64?, audio: TrackParameters?, video: TrackParameters?, isLive: Bool, formatName: String
    ) {
        self.durationNanoseconds = durationNanoseconds
        self.audio = audio
        self.video = video
        self.isLive = isLive
        self.formatName = formatName
    }
}

/// All that it takes to open a decoder for a track, here or on another host. Codecs and formats go by FFmpeg's names,
/// which, unlike its numbers, are the same in every version.
public struct TrackParameters: Sendable, Equatable {
    public var kind: TrackKind
    /// `h264`, `aac`, ...
    public var codecName: String
    public var extradata: [UInt8] = []
    /// The container's four-character code, or 0.
    public var codecTag: UInt32 = 0
    /// FFmpeg's number, or -99 where unknown.
    public var profile: Int = -99
    public var level: Int = -99
    public var bitRate: Int64 = 0
    public var bitsPerCodedSample: Int = 0

    public var sampleRateHz: Int = 0
    public var channelCount: Int = 0
    /// FFmpeg's channel mask, or 0 where the order is not known.
    public var channelLayoutMask: UInt64 = 0
    /// `fltp`, `s16`, ...
    public var sampleFormatName: String = ""
    public var frameSizeSamples: Int = 0
    public var blockAlign: Int = 0
    public var initialPaddingSamples: Int = 0
    public var seekPrerollSamples: Int = 0

    /// As stored: not yet turned by `rotationDegrees`.
    public var width: Int = 0
    public var height: Int = 0
    /// `yuv420p`, ...
    public var pixelFormatName: String = ""
    /// 0, 90, 180 or 270: how far to turn the picture clockwise to show it upright.
    public var rotationDegrees: Int = 0
    /// Width of a stored pixel over its height: not 1 in anamorphic recordings (HDV, DV, DVD).
    public var pixelAspectRatio: Double = 1
    /// Frames per second, or 0 where unknown. For information: times come from the packets.
    public var averageFrameRate: Double = 0
    /// Frames by which decoding runs ahead of showing.
    public var reorderDelayFrames: Int = 0
    /// The container holds no presentation times: packets carry decoding times, and frames, once in the order of
    /// presentation, take them in ascending order (H.264 in AVI, or without a container).
    public var timesAreDecodingTimes: Bool = false
    /// The container's word on the colour matrix and range (`bt709`, `tv`, ...), for streams that do not say.
    public var colourMatrixName: String = ""
    public var colourRangeName: String = ""

    public init(kind: TrackKind, codecName: String) {
        self.kind = kind
        self.codecName = codecName
    }
}
