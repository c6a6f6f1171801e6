import CFFmpeg

/// How an input is opened.
public struct DemultiplexerOptions: Sendable {
    /// Opening a network source or camera is given up after this many seconds.
    public var openTimeoutSeconds: Double = 20
    /// So is waiting for a sender, where the URL says to listen; `nil`: it may come when it likes.
    public var listenTimeoutSeconds: Double?
    /// So is waiting for its next packet.
    public var readTimeoutSeconds: Double = 20
    /// How many bytes may be looked at to find out what an input is.
    public var probeBytes: Int = 5_000_000
    /// How much of its time may be looked at.
    public var probeSeconds: Double = 5
    /// A recording whose times go beyond this is taken for damaged.
    public var maximumMediaSeconds: Double = 48 * 3600

    public init() {}
}

/// Takes a recording or live source apart into the compressed packets of its best audio and best video track, in the
/// order in which they are stored, with their media times.
///
/// Reading the same recording again gives the same packets. Not thread-safe: one thread at a time; only the
/// `Interruption` may be used from others.
///
///     let demultiplexer = try Demultiplexer(input: "clip.mp4")
///     while let packet = try demultiplexer.next() { ... }
public final class Demultiplexer {
    public let input: String
    public let description: SourceDescription
    public let interruption: Interruption
    /// Packets or stretches that could not be read and were passed over.
    public private(set) var damageCount = 0
    /// After the end: what is missing, if the recording ended well before the time that it states.
    public private(set) var truncation: MediaError?

    private let source: OpenSource
    private let options: DemultiplexerOptions
    private var tracks: [Int32: Track] = [:]
    private var timeline: MediaTimeline
    private var endNanoseconds: Int64 = 0
    private var hasEnded = false
    private let packet: UnsafeMutablePointer<AVPacket>
    /// Packets read ahead to find out where the sound starts.
    private var readAhead: [UnsafeMutablePointer<AVPacket>] = []

    private struct Track {
        let stream: UnsafeMutablePointer<AVStream>
        let parameters: TrackParameters
        var segmenter: Segmenter
        var nextIndex: UInt64 = 0
        let sampleCounter: SampleCounter?
        let defaultDurationNanoseconds: Int64
    }

    /// - Parameter input: a path, a URL (http, https, rtsp, rtmp, srt, udp, ...), a camera (`/dev/video0`), or `-` for
    ///   standard input. A tcp, rtsp, rtmp or http URL with `?listen` (srt: `?mode=listener`; udp and rtp always) waits for somebody
    ///   who sends. A camera needs libavdevice: call `avdevice_register_all()` before.
    /// - Throws: `MediaError`, saying what is wrong with the input.
    public init(
        input: String, options: DemultiplexerOptions = DemultiplexerOptions(), interruption: Interruption = Interruption()
    ) throws(MediaError) {
        let source = try OpenSource(input: input, options: options, interruption: interruption)
        guard let packet = av_packet_alloc() else { throw .outOfMemory(input) }
        self.input = input
        self.options = options
        self.interruption = interruption
        self.source = source
        self.packet = packet
        for (kind, stream) in [(TrackKind.audio, source.audio), (.video, source.video)] {
            guard let stream, let parameters = TrackParameters(stream: stream, kind: kind, formatName: source.formatName)
            else { continue }
            tracks[stream.pointee.index] = Track(
                stream: stream, parameters: parameters, segmenter: Segmenter(kind),
                sampleCounter: kind == .audio ? SampleCounter(stream) : nil,
                defaultDurationNanoseconds: Self.frameDuration(stream, kind))
        }
        let audio = tracks.values.first { $0.parameters.kind == .audio }?.parameters
        let video = tracks.values.first { $0.parameters.kind == .video }?.parameters
        timeline = MediaTimeline(
            startNanoseconds: 0, timesMayJump: source.timesMayJump, audioSampleRateHz: audio?.sampleRateHz, hasVideo: video != nil)
        let longest = Int64(options.maximumMediaSeconds * 1e9)
        description = SourceDescription(
            durationNanoseconds: source.durationNanoseconds.flatMap { $0 <= longest ? $0 : nil },
            audio: audio, video: video, isLive: source.isLive, formatName: source.formatName)
        // A container that does not state when its tracks start (WAV) starts them at 0.
        let videoStart = source.video.flatMap { $0.nanoseconds($0.pointee.start_time) }
        let start = [videoStart, try audioStart()].compactMap { $0 }.min()
        timeline = MediaTimeline(
            startNanoseconds: start ?? 0, timesMayJump: source.timesMayJump, audioSampleRateHz: audio?.sampleRateHz,
            hasVideo: video != nil)
    }

    deinit {
        for waiting in readAhead + [packet] {
            var packet: UnsafeMutablePointer<AVPacket>? = waiting
            av_packet_free(&packet)
        }
    }

    /// Ends `next()`, from any thread: see `Interruption`.
    public func interrupt() { interruption.interrupt() }

    /// The next packet, or `nil` at the end. Damaged stretches are passed over and counted in `damageCount`.
    /// - Throws: `.interrupted`, or `.io` where the source stopped answering.
    public func next() throws(MediaError) -> EncodedPacket? {
        while !hasEnded {
            guard try takePacket() else {
                hasEnded = true
                noteTruncation()
                break
            }
            defer { av_packet_unref(packet) }
            if let encoded = try encode() { return encoded }
        }
        return nil
    }

    /// Where the container's times put the first sample after the priming. Containers differ in whether a stream's own
    /// start includes the priming, so that the first packet has to tell.
    private func audioStart() throws(MediaError) -> Int64? {
        let maximumPackets = 1000, maximumBytes = 32 << 20
        guard let audio = source.audio else { return nil }
        let stated = audio.nanoseconds(audio.pointee.start_time)
        var bytes = 0
        while readAhead.count < maximumPackets, bytes < maximumBytes, try readPacket() {
            guard let copy = av_packet_alloc() else { throw .outOfMemory(input) }
            av_packet_move_ref(copy, packet)
            readAhead.append(copy)
            bytes += Int(copy.pointee.size)
            guard copy.pointee.stream_index == audio.pointee.index else { continue }
            let first = audio.firstPacketTimes(pts: copy.pointee.pts, skip: copy.skippedSamples.start)
            let rate = Int64(max(1, audio.pointee.codecpar.pointee.sample_rate))
            let priming = av_rescale(Int64(first.skip), 1_000_000_000, rate)
            return first.pts.flatMap { MediaTimeline.plausible($0 &+ priming) } ?? stated
        }
        return stated
    }

    /// Fills `packet` with the next one. False at the end.
    private func takePacket() throws(MediaError) -> Bool {
        guard !readAhead.isEmpty else { return try readPacket() }
        var first: UnsafeMutablePointer<AVPacket>? = readAhead.removeFirst()
        if let first { av_packet_move_ref(packet, first) }
        av_packet_free(&first)
        return true
    }

    /// Reads into `packet`. False at the end.
    private func readPacket() throws(MediaError) -> Bool {
        // What is readable after so many failures in a row is not worth the wait.
        let maximumFailures = 100
        var failures = 0
        while true {
            source.startWaiting(seconds: options.readTimeoutSeconds)
            let result = av_read_frame(source.context, packet)
            if result >= 0 { return true }
            if interruption.isInterrupted { throw MediaError(.interrupted, input: input, detail: "reading was stopped") }
            if source.timedOut {
                throw MediaError(
                    .io, input: input, detail: "no answer for \(Int(options.readTimeoutSeconds)) s; check the source and the network")
            }
            switch result {
            case ADREACT_ERROR_EOF: return false
            case ADREACT_ERROR_INVALID_DATA, ADREACT_ERROR_TRY_AGAIN:
                if result == ADREACT_ERROR_INVALID_DATA { damageCount += 1 }
                failures += 1
                if failures >= maximumFailures || source.isAtEnd { return false }
            default:
                if source.isAtEnd { return false }
                throw MediaError(.io, input: input, detail: "reading failed: \(MediaError.text(of: result))")
            }
        }
    }

    private func encode() throws(MediaError) -> EncodedPacket? {
        guard var track = tracks[packet.pointee.stream_index], packet.pointee.size > 0, let bytes = packet.pointee.data
        else { return nil }
        let stream = track.stream
        let kind = track.parameters.kind
        let stated = stream.nanoseconds(packet.pointee.duration).flatMap { $0 > 0 ? $0 : nil }
        let samples = track.sampleCounter?.count(packet, statedNanoseconds: stated)
        var skip = packet.skippedSamples
        var pts = track.parameters.timesAreDecodingTimes ? nil : stream.nanoseconds(packet.pointee.pts)
        if kind == .audio, track.nextIndex == 0 {
            (pts, skip.start) = stream.firstPacketTimes(pts: packet.pointee.pts, skip: skip.start)
        }
        let times = MediaTimeline.StatedTimes(
            pts: pts, dts: stream.nanoseconds(packet.pointee.dts),
            durationNanoseconds: stated ?? track.defaultDurationNanoseconds, sampleCount: samples)
        guard let placed = timeline.place(kind, times) else { return nil }
        if !description.isLive, Double(placed.pts) > options.maximumMediaSeconds * 1e9 {
            throw MediaError(
                .corrupt, input: input,
                detail: "its times go beyond \(Int(options.maximumMediaSeconds / 3600)) hours; it is damaged, or has to be cut into parts")
        }
        let isHidden = packet.pointee.flags & AV_PKT_FLAG_DISCARD != 0
        let isKeyframe = packet.pointee.flags & AV_PKT_FLAG_KEY != 0
        let place = track.segmenter.place(ptsNanoseconds: placed.pts, isKeyframe: isKeyframe, isHidden: isHidden)
        let encoded = EncodedPacket(
            track: kind, index: track.nextIndex, ptsNanoseconds: placed.pts, durationNanoseconds: placed.duration,
            isKeyframe: isKeyframe, segment: place.segment, isLeading: place.isLeading, isHidden: isHidden,
            skipSamplesAtStart: skip.start, skipSamplesAtEnd: skip.end,
            payload: [UInt8](UnsafeBufferPointer(start: bytes, count: Int(packet.pointee.size))))
        track.nextIndex += 1
        tracks[packet.pointee.stream_index] = track
        endNanoseconds = max(endNanoseconds, placed.pts + placed.duration)
        return encoded
    }

    private func noteTruncation() {
        let toleranceNanoseconds: Int64 = 1_000_000_000
        guard let stated = description.durationNanoseconds, source.durationIsStated,
            endNanoseconds < stated - max(toleranceNanoseconds, stated / 50)
        else { return }
        func seconds(_ nanoseconds: Int64) -> Double { (Double(nanoseconds) / 1e8).rounded() / 10 }
        truncation = MediaError(
            .corrupt, input: input, detail: "the file is cut: \(seconds(endNanoseconds)) s of \(seconds(stated)) s could be read")
    }

    private static func frameDuration(_ stream: UnsafeMutablePointer<AVStream>, _ kind: TrackKind) -> Int64 {
        guard kind == .video else { return 0 }
        for rate in [stream.pointee.avg_frame_rate, stream.pointee.r_frame_rate] where rate.num > 0 && rate.den > 0 {
            let duration = av_rescale(1_000_000_000, Int64(rate.den), Int64(rate.num))
            if (1_000_000...10_000_000_000).contains(duration) { return duration }
        }
        return 40_000_000
    }
}

extension UnsafeMutablePointer<AVPacket> {
    /// Priming and padding: two 32-bit little-endian counts, start and end.
    fileprivate var skippedSamples: (start: Int, end: Int) {
        var size = 0
        guard let bytes = av_packet_get_side_data(self, AV_PKT_DATA_SKIP_SAMPLES, &size), size >= 8 else { return (0, 0) }
        func count(at offset: Int) -> Int {
            (0..<4).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
        }
        return (count(at: 0), count(at: 4))
    }
}

extension UnsafeMutablePointer<AVStream> {
    /// A time in this stream's units, as nanoseconds. `nil` where not stated.
    func nanoseconds(_ time: Int64) -> Int64? {
        guard time != ADREACT_NO_PTS else { return nil }
        let scaled = av_rescale_q(time, pointee.time_base, AVRational(num: 1, den: 1_000_000_000))
        return scaled == .min ? nil : scaled
    }

    /// Time and priming of a sound track's first packet. FFmpeg's Matroska reader states the priming of Opus only as a
    /// negative time (in milliseconds) and in the codec's parameters (in samples); the latter are exact.
    fileprivate func firstPacketTimes(pts: Int64, skip: Int) -> (pts: Int64?, skip: Int) {
        let stated = nanoseconds(pts)
        let padding = Int64(pointee.codecpar.pointee.initial_padding), rate = Int64(pointee.codecpar.pointee.sample_rate)
        guard let stated, stated < 0, skip == 0, padding > 0, rate > 0 else { return (stated, skip) }
        let exact = -av_rescale(padding, 1_000_000_000, rate)
        let roundingNanoseconds: Int64 = 1_000_000
        return abs(stated - exact) <= roundingNanoseconds ? (exact, Int(padding)) : (stated, skip)
    }
}
