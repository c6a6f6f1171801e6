import COpenBLAS

/// How probable speech is in each chunk of 32 ms of a stream, by Silero's network: heard once, chunk after chunk.
///
/// Chunks lie on a grid from media time 0. The network remembers what it has heard, without end; here it starts afresh for
/// every block of 64 chunks, with the 64 chunks before the block to warm up. So a chunk's probability is a function of
/// 2 to 4 s of sound before its end, wherever the analysis was begun, and costs two runs of the network.
package struct VoiceActivity {
    /// Samples at 48 kHz before a moment that can bear on the probabilities of chunks that lie after it.
    package let reachSamples: Int64

    private let network: SileroNetwork
    private let factor: Int
    /// Low-pass filter and decimation to 16 kHz, as for the log-mel image.
    private let taps: [Float]
    private let halfLength: Int
    /// Input from position `rawStart` on, which may lie before media time 0.
    private var raw: [Float]
    private var rawStart: Int64
    /// Decimated samples from position `heardStart` on.
    private var heard: [Float] = []
    private var heardStart: Int64
    private var state = SileroNetwork.State()
    private var nextChunk: Int64
    private var probabilities: [Float] = []
    private var firstProbability: Int64

    private static let blockChunks: Int64 = 64
    private static let chunkSamples = Int64(SileroNetwork.chunkSamples)
    private static let contextSamples = Int64(SileroNetwork.contextSamples)

    /// - Parameter startSample: where the samples to come begin, 0 or later; before it there is silence.
    package init(network: SileroNetwork, sampleRateHz: Int, startSample: Int64) throws(VoiceError) {
        let factor = sampleRateHz / SileroNetwork.sampleRateHz
        guard factor >= 1, sampleRateHz % SileroNetwork.sampleRateHz == 0 else {
            throw VoiceError(.unusableModel, "Silero's network needs samples at a multiple of 16 kHz, not \(sampleRateHz) Hz")
        }
        self.network = network
        self.factor = factor
        halfLength = 40 * factor
        taps = Decimator.lowPass(cutoff: 0.95 / Double(factor), halfLength: halfLength, beta: 8)
        let chunk = Self.chunkSamples * Int64(factor)
        reachSamples = (2 * Self.blockChunks) * chunk + Self.contextSamples * Int64(factor) + Int64(halfLength)
        nextChunk = startSample / (Self.blockChunks * chunk) * Self.blockChunks
        firstProbability = nextChunk
        heardStart = max(0, nextChunk - Self.blockChunks) * Self.chunkSamples - Self.contextSamples
        rawStart = heardStart * Int64(factor) - Int64(halfLength)
        raw = [Float](repeating: 0, count: Int(startSample - rawStart))
    }

    /// Takes the next samples; `startSample` is the position of the first one.
    package mutating func append(_ samples: some Collection<Float>, startSample: Int64) {
        let expected = rawStart + Int64(raw.count)
        let skipped = max(0, expected - startSample)
        raw.append(contentsOf: samples.dropFirst(Int(min(skipped, Int64(samples.count)))))
    }

    /// - Returns: the chunks that lie wholly in `range` (positions at the input's rate), and what the network says of them.
    package mutating func chunks(in range: Range<Int64>) throws -> (samples: [Range<Int64>], probabilities: ArraySlice<Float>) {
        let chunk = Self.chunkSamples * Int64(factor)
        let first = max((range.lowerBound + chunk - 1) / chunk, firstProbability)
        // The filter looks ahead by half its length. Whole pairs: OpenVINO rounds otherwise in a run of a single chunk.
        let end = (range.upperBound - Int64(halfLength)) / chunk / 2 * 2
        guard first < end else { return ([], []) }
        try hear(upTo: end)
        let known = Int(first - firstProbability)..<Int(min(end, nextChunk) - firstProbability)
        return ((first..<min(end, nextChunk)).map { $0 * chunk..<($0 + 1) * chunk }, probabilities[known])
    }

    /// Forgets what lies before a position: no chunk before it will be asked for. Blocks that nobody asked for are never heard.
    package mutating func forget(before sample: Int64) {
        let wanted = sample / (Self.chunkSamples * Int64(factor))
        let wantedBlock = wanted / Self.blockChunks * Self.blockChunks
        if wantedBlock > nextChunk {
            nextChunk = wantedBlock
            probabilities.removeAll(keepingCapacity: true)
            firstProbability = nextChunk
        } else {
            let gone = min(max(0, wanted - firstProbability), Int64(probabilities.count))
            probabilities.removeFirst(Int(gone))
            firstProbability += gone
        }
        // The next block warms up with what comes before it.
        let block = nextChunk / Self.blockChunks * Self.blockChunks
        let needed = max(0, nextChunk == block ? block - Self.blockChunks : block) * Self.chunkSamples - Self.contextSamples
        guard needed > heardStart else { return }
        heard.removeFirst(Int(min(needed - heardStart, Int64(heard.count))))
        heardStart = needed
        guard heard.isEmpty else { return }
        let neededRaw = needed * Int64(factor) - Int64(halfLength)
        raw.removeFirst(Int(min(max(0, neededRaw - rawStart), Int64(raw.count))))
        rawStart = max(rawStart, neededRaw)
    }

    // MARK: -

    private mutating func hear(upTo end: Int64) throws {
        decimate()
        while nextChunk < end {
            let block = nextChunk / Self.blockChunks * Self.blockChunks
            var first = nextChunk
            if nextChunk == block {
                state = SileroNetwork.State()
                first = max(0, block - Self.blockChunks)
            }
            let last = min(end, block + Self.blockChunks)
            guard last * Self.chunkSamples <= heardStart + Int64(heard.count) else { return }
            let said = try network.probabilities(of: rows(first..<last), state: &state)
            probabilities += said.dropFirst(Int(nextChunk - first))
            nextChunk = last
        }
    }

    /// Each chunk with its context, one after the other.
    private func rows(_ chunks: Range<Int64>) -> [Float] {
        var rows: [Float] = []
        rows.reserveCapacity(chunks.count * (SileroNetwork.contextSamples + SileroNetwork.chunkSamples))
        for chunk in chunks {
            let start = Int(chunk * Self.chunkSamples - Self.contextSamples - heardStart)
            rows += heard[start..<start + SileroNetwork.contextSamples + SileroNetwork.chunkSamples]
        }
        return rows
    }

    private mutating func decimate() {
        let next = heardStart + Int64(heard.count)
        var position = Int(next * Int64(factor) - Int64(halfLength) - rawStart)  // 0 or more
        raw.withUnsafeBufferPointer { raw in
            guard let base = raw.baseAddress else { return }
            while position + taps.count <= raw.count {
                heard.append(cblas_sdot(blasint(taps.count), base + position, 1, taps, 1))
                position += factor
            }
        }
        let used = min(position, raw.count)
        raw.removeFirst(used)
        rawStart += Int64(used)
    }
}
