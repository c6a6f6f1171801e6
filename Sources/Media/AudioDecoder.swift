/// A stretch of mono sound.
public struct AudioBlock: Sendable, Equatable {
    /// Position of the first sample on a grid of 48 kHz from media time 0.
    public var startSample: Int64
    /// -1 to 1, the mean of all channels.
    public var samples: [Float]

    public init(startSample: Int64, samples: [Float]) {
        self.startSample = startSample
        self.samples = samples
    }
}

/// Decodes an audio track to mono float at 48 kHz on exact positions: priming and padding cut, nothing before media
/// time 0, gaps left as gaps, overlaps dropped.
///
/// The samples of a segment depend only on its packets, on `leadInNanoseconds` of packets before it, and on the first
/// packets after it: at every segment the decoder starts anew and is primed with that lead-in. So one that begins at
/// segment k, having been given the lead-in, yields the very same samples from there on as one that ran through.
/// One thread at a time.
public final class AudioDecoder {
    /// Rate of what comes out.
    public static let sampleRateHz = 48_000
    /// At least so much of the preceding packets primes the decoder at the start of a segment.
    public static let leadInNanoseconds: Int64 = 300_000_000

    /// Packets or stretches that could not be decoded and were passed over.
    public private(set) var decodeErrorCount = 0
    /// Of the packets given so far.
    public private(set) var tally = DecodingTally()

    private let track: TrackParameters
    private let startAtSegment: UInt32
    private var leadIn: [EncodedPacket] = []
    private var current: Run?
    /// The run of the segment before, which still needs packets of this one to end cleanly.
    private var closing: Run?
    private var heldBack: [AudioBlock] = []
    private var emittedEnd: Int64 = 0

    private struct Run {
        let segment: UInt32
        let decoding: AudioRun
        var from: Int64
        /// Exclusive; known once the next segment has begun.
        var until: Int64 = .max
        var packetsSinceEnd = 0
    }

    /// - Parameter startAtSegment: packets of earlier segments only serve as lead-in.
    /// - Throws: `MediaError` if there is no decoder for the track.
    public init(_ track: TrackParameters, startAtSegment: UInt32 = 0) throws(MediaError) {
        self.track = track
        self.startAtSegment = startAtSegment
        _ = try AudioRun(track)  // a codec that cannot be opened is told at once
    }

    /// Decodes the next packet. A damaged one is counted in `decodeErrorCount` and leaves a gap.
    /// - Returns: blocks in order of time, which never overlap any earlier one.
    /// - Throws: only if the codec cannot be opened again at a new segment.
    public func decode(_ packet: EncodedPacket) throws(MediaError) -> [AudioBlock] {
        guard packet.track == .audio, packet.ptsNanoseconds.magnitude < 1 << 60 else {
            decodeErrorCount += 1
            return []
        }
        defer { remember(packet) }
        guard packet.segment >= startAtSegment else { return [] }
        if current?.segment != packet.segment { try begin(packet) }
        var blocks = close(with: packet)
        guard let run = current else { return blocks }
        let decoded = cut(decode(packet, with: run.decoding), run)
        if closing == nil {
            blocks += heldBack + decoded
            heldBack = []
        } else {
            heldBack += decoded
        }
        return emit(blocks)
    }

    /// The end of the track: what is still under way.
    public func finish() -> [AudioBlock] {
        var blocks: [AudioBlock] = []
        for run in [closing, current].compactMap({ $0 }) {
            if run.segment == current?.segment {
                blocks += heldBack
                heldBack = []
            }
            blocks += cut(run.decoding.finish(), run)
        }
        closing = nil
        current = nil
        return emit(blocks)
    }

    private func decode(_ packet: EncodedPacket, with decoding: AudioRun) -> [AudioBlock] {
        let result = decoding.decode(packet)
        decodeErrorCount += result.failures
        tally += DecodingTally(packetCount: 1, decodedCount: result.failures == 0 ? 1 : 0)
        return result.blocks
    }

    /// Starts a segment with a fresh decoder, primed with the packets before it.
    private func begin(_ packet: EncodedPacket) throws(MediaError) {
        if closing != nil { finishClosing() }
        let decoding = try AudioRun(track)
        for earlier in leadIn where earlier.segment < packet.segment { _ = decoding.decode(earlier) }
        let start = decoding.startPosition(of: packet)
        if var ended = current {
            ended.until = max(start, ended.from)
            closing = ended
        }
        current = Run(segment: packet.segment, decoding: decoding, from: max(start, 0))
    }

    /// Feeds a new segment's first packets to the run before, until that reaches the new segment.
    private func close(with packet: EncodedPacket) -> [AudioBlock] {
        let maximumPackets = 8
        guard var run = closing else { return [] }
        // Its failures are counted where the packet belongs.
        var blocks = cut(run.decoding.decode(packet).blocks, run)
        run.packetsSinceEnd += 1
        closing = run
        if run.decoding.nextPosition >= run.until || run.packetsSinceEnd >= maximumPackets {
            blocks += cut(run.decoding.finish(), run)
            closing = nil
        }
        return blocks
    }

    private func finishClosing() {
        guard let run = closing else { return }
        heldBack = cut(run.decoding.finish(), run) + heldBack
        closing = nil
    }

    private func remember(_ packet: EncodedPacket) {
        let maximumPackets = 1024
        leadIn.append(packet)
        var covered = leadIn.reduce(0) { $0 + min(max($1.durationNanoseconds, 0), Self.leadInNanoseconds) }
        while let first = leadIn.first {
            covered -= min(max(first.durationNanoseconds, 0), Self.leadInNanoseconds)
            guard covered >= Self.leadInNanoseconds || leadIn.count > maximumPackets else { return }
            leadIn.removeFirst()
        }
    }

    private func cut(_ blocks: [AudioBlock], _ run: Run) -> [AudioBlock] {
        blocks.compactMap { $0.clipped(from: run.from, until: run.until) }
    }

    /// Joins neighbours, and keeps the promise that blocks never overlap whatever the packets say.
    private func emit(_ blocks: [AudioBlock]) -> [AudioBlock] {
        var joined: [AudioBlock] = []
        for block in blocks {
            guard let block = block.clipped(from: emittedEnd, until: .max) else { continue }
            emittedEnd = block.endSample
            if let last = joined.indices.last, joined[last].endSample == block.startSample {
                joined[last].samples += block.samples
            } else {
                joined.append(block)
            }
        }
        return joined
    }
}

extension AudioBlock {
    /// Exclusive.
    public var endSample: Int64 { startSample + Int64(samples.count) }

    func clipped(from: Int64, until: Int64) -> AudioBlock? {
        let start = max(startSample, from), end = min(endSample, until)
        guard start < end else { return nil }
        if start == startSample, end == endSample { return self }
        return AudioBlock(startSample: start, samples: Array(samples[Int(start - startSample)..<Int(end - startSample)]))
    }
}
