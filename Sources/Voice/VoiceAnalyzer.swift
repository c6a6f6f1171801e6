import Inference

/// Cuts a stream of 48 kHz mono samples into overlapping windows, finds the speech in each, and classifies it.
///
/// Window `i` covers the samples `[i * hopSamples, i * hopSamples + windowSamples)` counted from media time 0, and its
/// outcome depends on these samples, where Silero's network is part of the gate on the `reachSamples` before them too, and
/// on nothing else: not on the sizes of the blocks, not on where the analyzer started. Places without samples are silence. The last window is the first whose end reaches the end of the audio;
/// it is padded with silence, so audio shorter than one window gives exactly one.
///
/// Memory stays within one window and what it reaches back for, one block and `settings.batchWindows` feature images, however long the stream.
///
/// ```swift
/// var analyzer = VoiceAnalyzer(settings: .init(), classifier: classifier)
/// for block in blocks { windows += try analyzer.append(samples: block.samples, startSample: block.startSample) }
/// windows += try analyzer.finish()
/// ```
public struct VoiceAnalyzer {
    public let settings: VoiceSettings

    private let classifier: any VoiceClassifier
    private let extractor: any VoiceFeatureExtractor
    private var gate: WindowGate
    /// Samples from `bufferStart` on; earlier ones are in no window to come.
    private var buffer: [Float] = []
    private var bufferStart: Int64
    /// The sample after the last one appended.
    private var audioEnd: Int64
    private var nextIndex: Int64
    private var waiting: [WaitingWindow] = []

    /// - Parameter startSample: where the audio to come begins, on the 48 kHz grid from media time 0. Windows that begin
    ///   earlier are not produced, and to those that reach back to before it, it is as if there had been silence.
    /// - Throws: `VoiceError` for a gate that does not work at these settings' sample rate.
    public init(
        settings: VoiceSettings, classifier: any VoiceClassifier, gate method: SpeechGateMethod = .energy, startSample: Int64 = 0
    ) throws {
        self.settings = settings
        self.classifier = classifier
        extractor = try classifier.makeExtractor()
        let start = min(max(startSample, 0), Self.latestSample)
        let gate = try WindowGate(method, settings: settings, startSample: start)
        self.gate = gate
        let hop = Int64(settings.hopSamples)
        nextIndex = (start + hop - 1) / hop
        bufferStart = nextIndex * hop
        audioEnd = start
    }

    /// Takes the next samples and returns the windows that are done, in order of their index.
    ///
    /// - Parameters:
    ///   - samples: mono, full scale ±1. Values that are not numbers count as silence; others are limited to ±8.
    ///   - startSample: position of the first one, not before the end of the audio so far; what is left out is silence.
    /// - Throws: `VoiceError` for samples that overlap earlier ones or lie implausibly far ahead, and what the
    ///   classifier throws. Nothing is taken then.
    public mutating func append(samples: [Float], startSample: Int64) throws -> [VoiceWindow] {
        guard startSample >= audioEnd else {
            throw VoiceError(.overlappingAudio, "samples start at \(startSample), but those up to \(audioEnd) are here already")
        }
        guard startSample <= Self.latestSample, startSample - audioEnd <= settings.longestGapSamples else {
            throw VoiceError(
                .implausibleTime,
                "samples start at \(startSample), \(startSample - audioEnd) after the last ones; the longest gap allowed is \(settings.longestGapSamples)")
        }
        var windows: [VoiceWindow] = []
        while audioEnd < startSample {
            let step = min(Int64(settings.windowSamples), startSample - audioEnd)
            try take(ContiguousArray(repeating: 0, count: Int(step)), into: &windows)
        }
        var taken = 0
        while taken < samples.count {
            let step = min(settings.windowSamples, samples.count - taken)
            try take(samples[taken..<taken + step].lazy.map(Self.limited), into: &windows)
            taken += step
        }
        return windows
    }

    /// Returns the windows that remain at the end of the audio, padded with silence. Call it once, last.
    public mutating func finish() throws -> [VoiceWindow] {
        var windows: [VoiceWindow] = []
        let (hop, length) = (Int64(settings.hopSamples), Int64(settings.windowSamples))
        if audioEnd > 0 {
            let lastIndex = max(0, (audioEnd - length + hop - 1) / hop)
            while nextIndex <= lastIndex {
                let missing = length - Int64(buffer.count)
                if missing > 0 {
                    let padding = repeatElement(Float(0), count: Int(missing))
                    gate.append(padding, startSample: bufferStart + Int64(buffer.count))
                    buffer.append(contentsOf: padding)
                }
                try examineNextWindow(into: &windows)
            }
        }
        try classifyWaiting(into: &windows)
        return windows
    }

    /// The media time up to which no window will come any more, except from samples not yet appended: the start of the
    /// first window that has not been returned.
    public var examinedUntilNanoseconds: Int64 {
        nanoseconds(atSample: (waiting.first?.index ?? nextIndex) * Int64(settings.hopSamples))
    }

    /// Samples from this media time on bear on windows that have not been returned.
    public var neededFromNanoseconds: Int64 {
        let window = (waiting.first?.index ?? nextIndex) * Int64(settings.hopSamples)
        return nanoseconds(atSample: max(0, window - gate.reachSamples))
    }

    // MARK: - Windows

    /// A window with speech, waiting for its batch to fill; those skipped meanwhile wait too, to keep the order.
    private struct WaitingWindow {
        let index: Int64
        let finding: SpeechGate.Finding
        let features: VoiceFeatures?
        let energyDBFS: Float
        let audioEnd: Int64
    }

    private mutating func take(_ samples: some Collection<Float>, into windows: inout [VoiceWindow]) throws {
        let skipped = min(max(0, bufferStart - audioEnd), Int64(samples.count))
        gate.append(samples, startSample: audioEnd)
        buffer.append(contentsOf: samples.dropFirst(Int(skipped)))
        audioEnd += Int64(samples.count)
        while buffer.count >= settings.windowSamples { try examineNextWindow(into: &windows) }
    }

    private mutating func examineNextWindow(into windows: inout [VoiceWindow]) throws {
        let length = settings.windowSamples
        let start = nextIndex * Int64(settings.hopSamples)
        let heard = min(length, Int(max(0, audioEnd - start)))
        waiting.append(try examine(buffer[0..<length], startSample: start, audibleSamples: heard))
        nextIndex += 1
        let hop = min(settings.hopSamples, buffer.count)
        buffer.removeFirst(hop)
        bufferStart += Int64(settings.hopSamples)
        gate.forget(before: bufferStart)
        let speechCount = waiting.count { $0.features != nil }
        if speechCount == 0 || speechCount >= settings.batchWindows { try classifyWaiting(into: &windows) }
    }

    private mutating func examine(_ samples: ArraySlice<Float>, startSample: Int64, audibleSamples: Int) throws -> WaitingWindow {
        try samples.withUnsafeBufferPointer { window in
            let finding = try gate.find(in: window, startSample: startSample, audibleSamples: audibleSamples)
            guard case .speech(let speech) = finding else {
                return WaitingWindow(index: nextIndex, finding: finding, features: nil, energyDBFS: 0, audioEnd: audioEnd)
            }
            return WaitingWindow(
                index: nextIndex, finding: finding, features: try extractor.features(of: window, startSample: startSample, speech: speech),
                energyDBFS: decibelsFullScale(UnsafeBufferPointer(rebasing: window[speech])), audioEnd: audioEnd)
        }
    }

    private mutating func classifyWaiting(into windows: inout [VoiceWindow]) throws {
        let batch = waiting.compactMap(\.features)
        let logits = batch.isEmpty ? [] : try classifier.logits(of: batch)
        guard logits.count == batch.count, logits.allSatisfy(\.isComplete) else {
            throw VoiceError(.badClassifier, "\(logits.count) results for \(batch.count) windows, or not three logits in each")
        }
        var next = logits.makeIterator()
        for window in waiting { windows.append(result(of: window, logits: window.features == nil ? nil : next.next())) }
        waiting.removeAll(keepingCapacity: true)
    }

    private func result(of window: WaitingWindow, logits: ModelLogits?) -> VoiceWindow {
        let start = window.index * Int64(settings.hopSamples)
        let outcome: VoiceWindow.Outcome
        switch (window.finding, logits) {
        case (.speech(let speech), .some(let logits)):
            let speechEnd = min(start + Int64(speech.upperBound), max(window.audioEnd, start))
            outcome = .speech(
                SpeechResult(
                    startNanoseconds: nanoseconds(atSample: start + Int64(speech.lowerBound)),
                    endNanoseconds: nanoseconds(atSample: speechEnd),
                    logits: logits.plain, relativeLogits: logits.relative, probabilities: softmax(logits.plain), energyDBFS: window.energyDBFS))
        case (.speech, .none): outcome = .skipped(.silence)  // cannot be: speech always has logits
        case (.skipped(let reason), _): outcome = .skipped(reason)
        }
        return VoiceWindow(
            index: window.index, startNanoseconds: nanoseconds(atSample: start),
            endNanoseconds: nanoseconds(atSample: min(start + Int64(settings.windowSamples), max(window.audioEnd, start))),
            outcome: outcome)
    }

    // MARK: - Numbers

    /// About 90 years at 48 kHz; products with 10⁹ / 48000 stay within 64 bits.
    private static let latestSample: Int64 = 1 << 47

    private static func limited(_ sample: Float) -> Float { sample.isFinite ? min(max(sample, -8), 8) : 0 }

    private func nanoseconds(atSample sample: Int64) -> Int64 {
        let (seconds, rest) = sample.quotientAndRemainder(dividingBy: Int64(settings.sampleRateHz))
        return seconds * 1_000_000_000 + (rest * 1_000_000_000 + Int64(settings.sampleRateHz) / 2) / Int64(settings.sampleRateHz)
    }
}

extension ModelLogits {
    fileprivate var isComplete: Bool {
        plain.count == VoiceClass.allCases.count && (relative.map { $0.count == plain.count } ?? true)
    }
}
