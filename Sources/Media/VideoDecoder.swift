import CFFmpeg

/// Which pictures a codec smooths at the edges of its blocks, where it has a filter for that (H.264, HEVC, VP9).
public enum Deblocking: Sendable {
    case everywhere
    /// Not those that no other picture is predicted from: a tenth less work. Mean colours of areas hardly change by it, and nothing
    /// of it spreads to other pictures.
    case referencesOnly
}

/// Decodes a video track to frames in the order of presentation, with their true times. Frames are not copied: each
/// holds the decoder's own memory until it is released, so the caller bounds how many are alive.
///
/// The frames of a segment depend on its own packets only (and those of its leading packets on the segment before): at
/// every segment decoding starts anew, while the old decoder finishes what is shown before. So a decoder that begins at
/// segment k yields the very same frames from there on as one that ran through. One thread at a time.
public final class VideoDecoder {
    /// Packets or frames that could not be decoded, or came damaged or out of order, and were passed over.
    public var decodeErrorCount: Int { failures + (closing?.run.failures ?? 0) + (current?.run.failures ?? 0) }

    /// Of the packets given so far.
    public private(set) var tally = DecodingTally()

    private let track: TrackParameters
    private let threadCount: Int
    private let startAtSegment: UInt32
    private let deblocking: Deblocking
    private var current: Segment?
    private var closing: Segment?
    private var lastIndex: UInt64?
    private var failures = 0
    /// Frames of the current segment, waiting for the closing one to end.
    private var heldBack: [DecodedPicture] = []
    /// The last frame: its duration is known once the next has come.
    private var last: DecodedPicture?
    private var lastDurationNanoseconds: Int64 = 0

    private struct Segment {
        let number: UInt32
        let run: VideoRun
        let firstIndex: UInt64
        let startNanoseconds: Int64
        /// Packets shown before this segment's first keyframe.
        var leading: Set<UInt64> = []
    }

    /// - Parameters:
    ///   - threadCount: 1 to 64; the frames are the same whatever the number, only later.
    ///   - startAtSegment: earlier packets are passed over, and so are the segment's leading ones.
    /// - Throws: `MediaError` if there is no decoder for the track.
    public init(
        _ track: TrackParameters, threadCount: Int = 1, startAtSegment: UInt32 = 0, deblocking: Deblocking = .everywhere
    ) throws(MediaError) {
        self.track = track
        self.deblocking = deblocking
        self.threadCount = threadCount
        self.startAtSegment = startAtSegment
        _ = try VideoRun(track, threadCount: 1, deblocking: deblocking)  // a codec that cannot be opened is told at once
    }

    /// Decodes the next packet. A damaged one is counted in `decodeErrorCount`.
    /// - Returns: the frames that are complete by now, each later than all before; one frame is always held back, since
    ///   its duration ends where the next one starts.
    /// - Throws: only if the codec cannot be opened again at a new segment.
    public func decode(_ packet: EncodedPacket) throws(MediaError) -> [VideoFrame] {
        guard packet.track == .video, packet.ptsNanoseconds.magnitude < 1 << 60 else {
            failures += 1
            return []
        }
        guard packet.segment >= startAtSegment else { return [] }
        if !packet.isHidden { tally.packetCount += 1 }
        if packet.segment != current?.number { try begin(packet) }
        lastIndex = packet.index
        guard var segment = current else { return [] }
        if packet.isLeading {
            segment.leading.insert(packet.index)
            current = segment
        }
        var pictures: [DecodedPicture] = []
        if let ending = closing {
            if packet.isLeading || packet.index == segment.firstIndex {
                pictures += keepEarlier(ending.run.decode(packet), ending)
            } else {
                pictures += keepEarlier(ending.run.finish(), ending)
                failures += ending.run.failures
                closing = nil
            }
        }
        let decoded = segment.run.decode(packet).filter { !segment.leading.contains($0.packetIndex) }
        heldBack += decoded.map { $0.inSegment(segment.number) }
        if closing == nil {
            pictures += heldBack
            heldBack = []
        }
        return counted(pictures.compactMap(complete))
    }

    /// The end of the track: the frames still under way.
    public func finish() throws(MediaError) -> [VideoFrame] {
        var pictures: [DecodedPicture] = []
        if let ending = closing { pictures += keepEarlier(ending.run.finish(), ending) }
        pictures += heldBack
        if let segment = current {
            pictures += segment.run.finish().filter { !segment.leading.contains($0.packetIndex) }
                .map { $0.inSegment(segment.number) }
        }
        failures = decodeErrorCount
        closing = nil
        current = nil
        heldBack = []
        var frames = pictures.compactMap(complete)
        if let final = last {
            let duration = final.packetDurationNanoseconds > 0 ? final.packetDurationNanoseconds : lastDurationNanoseconds
            frames.append(VideoFrame(final, durationNanoseconds: duration, track: track))
            last = nil
        }
        return counted(frames)
    }

    private func counted(_ frames: [VideoFrame]) -> [VideoFrame] {
        tally.decodedCount += frames.count
        return frames
    }

    private func begin(_ packet: EncodedPacket) throws(MediaError) {
        if let unfinished = closing {  // a segment of one packet
            heldBack = keepEarlier(unfinished.run.finish(), unfinished) + heldBack
            failures += unfinished.run.failures
        }
        // After a loss, the leading packets' frames would be guesswork: the old decoder ends here.
        closing = current
        let isNext = lastIndex.map { $0 &+ 1 == packet.index } ?? false
        let start = packet.ptsNanoseconds
        current = Segment(
            number: packet.segment, run: try VideoRun(track, threadCount: threadCount, deblocking: deblocking), firstIndex: packet.index,
            startNanoseconds: start)
        if !isNext, let ending = closing {
            heldBack += keepEarlier(ending.run.finish(), ending)
            failures += ending.run.failures
            closing = nil
        }
    }

    /// Of what the old decoder gives: the frames before the new segment's start.
    private func keepEarlier(_ pictures: [DecodedPicture], _ ending: Segment) -> [DecodedPicture] {
        guard let segment = current else { return [] }
        return pictures.filter {
            ($0.packetIndex < segment.firstIndex || segment.leading.contains($0.packetIndex))
                && !ending.leading.contains($0.packetIndex) && $0.ptsNanoseconds < segment.startNanoseconds
        }.map { $0.inSegment(ending.number) }
    }

    /// The frame before `picture`, now that its end is known.
    private func complete(_ picture: DecodedPicture) -> VideoFrame? {
        guard picture.ptsNanoseconds >= 0 else { return nil }
        guard let previous = last else {
            last = picture
            return nil
        }
        guard picture.ptsNanoseconds > previous.ptsNanoseconds else {
            failures += 1
            return nil
        }
        last = picture
        lastDurationNanoseconds = picture.ptsNanoseconds - previous.ptsNanoseconds
        return VideoFrame(previous, durationNanoseconds: lastDurationNanoseconds, track: track)
    }
}

/// A frame as it leaves the codec.
struct DecodedPicture {
    let frame: FrameReference
    let ptsNanoseconds: Int64
    let packetDurationNanoseconds: Int64
    let packetIndex: UInt64
    var segment: UInt32 = 0

    func inSegment(_ number: UInt32) -> DecodedPicture {
        var copy = self
        copy.segment = number
        return copy
    }
}

/// One codec, from one keyframe on.
private final class VideoRun {
    private(set) var failures = 0

    private let codec: OpenCodec
    private let packetBuffer: PacketBuffer
    private let frame: UnsafeMutablePointer<AVFrame>
    /// Where packets carry decoding times only: those not yet given to a frame, ascending.
    private var pendingTimes: [Int64]?
    private var lastPts: Int64?

    init(_ track: TrackParameters, threadCount: Int, deblocking: Deblocking) throws(MediaError) {
        guard let frame = av_frame_alloc() else { throw .outOfMemory(track.codecName) }
        self.frame = frame
        codec = try OpenCodec(track, threadCount: threadCount, deblocking: deblocking)
        packetBuffer = try PacketBuffer()
        pendingTimes = track.timesAreDecodingTimes ? [] : nil
    }

    deinit {
        var frame: UnsafeMutablePointer<AVFrame>? = frame
        av_frame_free(&frame)
    }

    func decode(_ packet: EncodedPacket) -> [DecodedPicture] {
        if pendingTimes != nil {
            let maximumPending = 256
            pendingTimes?.append(packet.ptsNanoseconds)
            pendingTimes?.sort()
            if (pendingTimes?.count ?? 0) > maximumPending { pendingTimes?.removeFirst() }
        }
        return run(packet)
    }

    func finish() -> [DecodedPicture] { run(nil) }

    private func run(_ packet: EncodedPacket?) -> [DecodedPicture] {
        var pictures: [DecodedPicture] = []
        var damaged = 0
        failures += codec.decode(packet, into: packetBuffer, frame: frame) {
            guard let picture = takePicture() else {
                damaged += 1
                return
            }
            pictures.append(picture)
        }
        failures += damaged
        return pictures
    }

    private func takePicture() -> DecodedPicture? {
        // What could not be reconstructed (lost references) is worse than no frame.
        guard frame.pointee.flags & AV_FRAME_FLAG_CORRUPT == 0, let reference = FrameReference(moving: frame) else { return nil }
        let moved = reference.frame
        var pts = moved.pointee.best_effort_timestamp
        if let first = pendingTimes?.first {
            pts = first
            pendingTimes?.removeFirst()
        } else if pts == ADREACT_NO_PTS {
            pts = (lastPts ?? 0) + max(moved.pointee.pkt_duration, 1)
        }
        lastPts = pts
        return DecodedPicture(
            frame: reference, ptsNanoseconds: pts, packetDurationNanoseconds: max(0, moved.pointee.pkt_duration),
            packetIndex: UInt64(bitPattern: moved.pointee.pkt_pos))
    }
}
