import CFFmpeg

/// One codec and resampler, from one starting packet on: packets in, mono 48 kHz on the grid out.
///
/// The resampler always starts at a source sample whose time falls exactly on the 48 kHz grid (silence is put before it
/// if need be), so that runs that start at different packets put out the same instants.
final class AudioRun {
    /// Where the next sample that comes out belongs.
    private(set) var nextPosition: Int64 = 0

    private let codec: OpenCodec
    private let packetBuffer: PacketBuffer
    private let frame: UnsafeMutablePointer<AVFrame>
    private var resampler: Resampler?
    private var rateHz: Int32 = 0
    /// Media time of the next decoded sample, in source samples.
    private var position: Int64?
    private var samplesToSkip = 0

    private static let jitterNanoseconds = MediaTimeline.jitterNanoseconds

    init(_ track: TrackParameters) throws(MediaError) {
        guard let frame = av_frame_alloc() else { throw .outOfMemory(track.codecName) }
        self.frame = frame
        codec = try OpenCodec(track, threadCount: 1)
        packetBuffer = try PacketBuffer()
    }

    deinit {
        var frame: UnsafeMutablePointer<AVFrame>? = frame
        av_frame_free(&frame)
    }

    /// Where on the grid the samples of a packet will be put that comes next.
    func startPosition(of packet: EncodedPacket) -> Int64 {
        let stated = av_rescale(packet.ptsNanoseconds, Int64(AudioDecoder.sampleRateHz), 1_000_000_000)
        guard let position, rateHz > 0 else { return stated }
        let following = av_rescale(position, Int64(AudioDecoder.sampleRateHz), Int64(rateHz))
        let jitter = av_rescale(Self.jitterNanoseconds, Int64(AudioDecoder.sampleRateHz), 1_000_000_000)
        return abs(following - stated) <= jitter ? following : stated
    }

    func decode(_ packet: EncodedPacket) -> (blocks: [AudioBlock], failures: Int) {
        let longestSkip = 1 << 24
        samplesToSkip += max(0, min(packet.skipSamplesAtStart, longestSkip))
        var pieces: [(pts: Int64?, rateHz: Int32, samples: [Float])] = []
        var failures = codec.decode(packet, into: packetBuffer, frame: frame) {
            if let samples = monoSamples() {
                let pts = frame.pointee.pts == ADREACT_NO_PTS ? nil : frame.pointee.pts
                pieces.append((pts, frame.pointee.sample_rate, samples))
            }
        }
        var toCut = max(0, packet.skipSamplesAtEnd)
        for i in pieces.indices.reversed() where toCut > 0 {
            let count = min(toCut, pieces[i].samples.count)
            pieces[i].samples.removeLast(count)
            toCut -= count
        }
        var blocks: [AudioBlock] = []
        for piece in pieces where !piece.samples.isEmpty {
            if piece.rateHz <= 0 { failures += 1 } else { blocks += place(piece.samples, piece.pts, piece.rateHz) }
        }
        return (blocks, failures)
    }

    /// The end: what the codec and resampler still hold.
    func finish() -> [AudioBlock] {
        var blocks: [AudioBlock] = []
        _ = codec.decode(nil, into: packetBuffer, frame: frame) {
            if let samples = monoSamples(), frame.pointee.sample_rate > 0 {
                blocks += place(samples, frame.pointee.pts == ADREACT_NO_PTS ? nil : frame.pointee.pts, frame.pointee.sample_rate)
            }
        }
        return blocks + endStretch()
    }

    private func monoSamples() -> [Float]? {
        let count = Int(frame.pointee.nb_samples)
        guard count > 0 else { return nil }
        var isKnown = false
        let samples = [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            guard let start = buffer.baseAddress else { return }
            isKnown = adreact_average_channels(frame, start) >= 0
            initialized = isKnown ? count : 0
        }
        return isKnown ? samples : nil
    }

    /// Puts decoded samples where their time says, or right after the last ones if that is about the same.
    private func place(_ samples: [Float], _ pts: Int64?, _ rate: Int32) -> [AudioBlock] {
        var blocks: [AudioBlock] = []
        if rate != rateHz {
            blocks += endStretch()
            if let old = position, rateHz > 0 { position = av_rescale(old, Int64(rate), Int64(rateHz)) }
            rateHz = rate
        }
        let jitter = av_rescale(Self.jitterNanoseconds, Int64(rate), 1_000_000_000)
        let stated = pts.map { av_rescale($0, Int64(rate), 1_000_000_000) }
        var start = position ?? stated ?? 0
        var samples = samples[...]
        if let stated, position != nil {
            if stated > start + jitter {
                blocks += endStretch()
                start = stated
            } else if stated < start - jitter {
                samples = samples.dropFirst(Int(min(start - stated, Int64(samples.count))))
            }
        }
        position = start
        let skipped = min(samplesToSkip, samples.count)
        if skipped > 0 {
            blocks += endStretch()
            samplesToSkip -= skipped
            samples = samples.dropFirst(skipped)
            position = start + Int64(skipped)
        }
        guard !samples.isEmpty else { return blocks }
        return blocks + convert(Array(samples))
    }

    private func convert(_ samples: [Float]) -> [AudioBlock] {
        guard let start = position else { return [] }
        position = start + Int64(samples.count)
        if rateHz == AudioDecoder.sampleRateHz {
            nextPosition = start + Int64(samples.count)
            return [AudioBlock(startSample: start, samples: samples)]
        }
        if resampler == nil { resampler = Resampler(rateHz: rateHz, position: start) }
        guard let block = resampler?.convert(samples) else { return [] }
        nextPosition = block.endSample
        return block.samples.isEmpty ? [] : [block]
    }

    /// Ends a stretch without gaps: the resampler gives what it holds back.
    private func endStretch() -> [AudioBlock] {
        guard let ending = resampler, let position else { return [] }
        resampler = nil
        let end = av_rescale(position, Int64(AudioDecoder.sampleRateHz), Int64(rateHz))
        guard let block = ending.finish().clipped(from: .min, until: end) else { return [] }
        nextPosition = block.endSample
        return [block]
    }
}

/// Sample rate conversion of mono float to 48 kHz.
private final class Resampler {
    private var context: OpaquePointer?
    private var nextPosition: Int64
    private let firstPosition: Int64
    private var padding: Int

    /// - Parameter position: media time of the first sample to come, in source samples.
    init?(rateHz: Int32, position: Int64) {
        let rate = Int64(rateHz), target = Int64(AudioDecoder.sampleRateHz)
        let period = rate / av_gcd(rate, target)  // source samples from one common instant of both grids to the next
        let longestPeriod: Int64 = 4096
        let remainder = ((position % period) + period) % period
        padding = period <= longestPeriod ? Int(remainder) : 0
        nextPosition = av_rescale(position - Int64(padding), target, rate)
        firstPosition = av_rescale(position, target, rate)
        var input = AVChannelLayout()
        av_channel_layout_default(&input, 1)
        var output = input
        let result = swr_alloc_set_opts2(
            &context, &output, AV_SAMPLE_FMT_FLT, Int32(target), &input, AV_SAMPLE_FMT_FLT, rateHz, 0, nil)
        guard result >= 0, swr_init(context) >= 0 else {
            swr_free(&context)
            return nil
        }
    }

    deinit { swr_free(&context) }

    func convert(_ samples: [Float]) -> AudioBlock {
        let input = padding > 0 ? [Float](repeating: 0, count: padding) + samples : samples
        padding = 0
        return run(input)
    }

    func finish() -> AudioBlock { run(nil) }

    private func run(_ input: [Float]?) -> AudioBlock {
        let capacity = Int(max(0, swr_get_out_samples(context, Int32(clamping: input?.count ?? 0)))) + 64
        let output = [Float](unsafeUninitializedCapacity: capacity) { buffer, initialized in
            var outBytes = UnsafeMutableRawPointer(buffer.baseAddress)?.assumingMemoryBound(to: UInt8.self)
            var count: Int32 = 0
            if let input {
                input.withUnsafeBytes { bytes in
                    var inBytes = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
                    count = swr_convert(context, &outBytes, Int32(clamping: capacity), &inBytes, Int32(clamping: input.count))
                }
            } else {
                count = swr_convert(context, &outBytes, Int32(clamping: capacity), nil, 0)
            }
            initialized = Int(max(0, count))
        }
        let block = AudioBlock(startSample: nextPosition, samples: output)
        nextPosition = block.endSample
        // Silence that was put before the first sample is not sound of the medium.
        return block.clipped(from: firstPosition, until: .max) ?? AudioBlock(startSample: max(nextPosition, firstPosition), samples: [])
    }
}
