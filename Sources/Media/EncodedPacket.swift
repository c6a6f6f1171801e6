/// One compressed packet of one track.
public struct EncodedPacket: Sendable, Equatable {
    public var track: TrackKind
    /// 0, 1, 2... within the track: what the packet is called, whoever reads the medium and how often.
    public var index: UInt64
    /// When it is shown, in media time: 0 is where the earliest track starts. Audio packets follow each other without
    /// jitter. Negative for what is decoded but not presented (priming).
    public var ptsNanoseconds: Int64
    public var durationNanoseconds: Int64
    public var isKeyframe: Bool
    /// Counts from 0 within the track. From a segment's first packet on, the track can be decoded without the earlier
    /// segments (audio: with `AudioDecoder.leadInNanoseconds` of packets before it).
    public var segment: UInt32
    /// Comes after its segment's first keyframe but is shown before it, so that its frame belongs to the previous
    /// segment.
    public var isLeading: Bool
    /// Needed for decoding, not to be presented (cut away by the container's edit list).
    public var isHidden: Bool
    /// Samples at the source's rate that are the encoder's priming or padding, to be cut from what is decoded. More than
    /// a packet's worth at the start reaches into the following packets.
    public var skipSamplesAtStart: Int
    public var skipSamplesAtEnd: Int
    /// When it was read, in nanoseconds since 1970, of a live source; 0: not live.
    public var captureUnixNanoseconds: Int64 = 0
    public var payload: [UInt8]

    public init(
        track: TrackKind, index: UInt64, ptsNanoseconds: Int64, durationNanoseconds: Int64, isKeyframe: Bool,
        segment: UInt32, isLeading: Bool = false, isHidden: Bool = false, skipSamplesAtStart: Int = 0,
        skipSamplesAtEnd: Int = 0, payload: [UInt8]
    ) {
        self.track = track
        self.index = index
        self.ptsNanoseconds = ptsNanoseconds
        self.durationNanoseconds = durationNanoseconds
        self.isKeyframe = isKeyframe
        self.segment = segment
        self.isLeading = isLeading
        self.isHidden = isHidden
        self.skipSamplesAtStart = skipSamplesAtStart
        self.skipSamplesAtEnd = skipSamplesAtEnd
        self.payload = payload
    }
}
