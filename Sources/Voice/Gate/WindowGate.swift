/// Which gate tells speech from other sound.
public enum SpeechGateMethod: Sendable {
    /// By its level alone: the original's.
    case energy
    /// By Silero's network alone.
    case silero(SileroNetwork)
    /// Energy finds the stretch, and Silero's network must hear a voice in it; where there is none, the stretch that Silero's
    /// network finds: quiet syllables cut what energy finds too short.
    case both(SileroNetwork)
}

/// Finds the speech in each window of a stream, one after the other.
///
/// A window's finding depends on its samples and on the `reachSamples` before it, and on nothing else.
struct WindowGate {
    /// Samples before a window that bear on it.
    let reachSamples: Int64

    private enum Method {
        case energy, silero, both
    }

    private let method: Method
    private let settings: SpeechGateSettings
    private let sampleRateHz: Int
    private let energy: SpeechGate
    private var activity: VoiceActivity?

    init(_ method: SpeechGateMethod, settings: VoiceSettings, startSample: Int64) throws(VoiceError) {
        self.settings = settings.gate
        sampleRateHz = settings.sampleRateHz
        energy = SpeechGate(settings: settings.gate, sampleRateHz: settings.sampleRateHz)
        switch method {
        case .energy:
            self.method = .energy
            activity = nil
        case .silero(let network):
            self.method = .silero
            activity = try VoiceActivity(network: network, sampleRateHz: settings.sampleRateHz, startSample: startSample)
        case .both(let network):
            self.method = .both
            activity = try VoiceActivity(network: network, sampleRateHz: settings.sampleRateHz, startSample: startSample)
        }
        reachSamples = activity?.reachSamples ?? 0
    }

    /// Takes the next samples of the stream, which windows to come may hold.
    mutating func append(_ samples: some Collection<Float>, startSample: Int64) {
        activity?.append(samples, startSample: startSample)
    }

    /// No window that starts before this will be asked for.
    mutating func forget(before sample: Int64) { activity?.forget(before: sample) }

    /// - Parameters:
    ///   - startSample: the window's place in the stream.
    ///   - audibleSamples: how much of the window, from its start, is audio; the rest is padding.
    mutating func find(
        in window: UnsafeBufferPointer<Float>, startSample: Int64, audibleSamples: Int
    ) throws -> SpeechGate.Finding {
        switch method {
        case .energy: return energy.find(in: window, audibleSamples: audibleSamples)
        case .silero:
            guard energy.exceedsFloor(window) else { return .skipped(.silence) }
            return try findVoice(in: window, startSample: startSample, audibleSamples: audibleSamples)
        case .both:
            let finding = energy.find(in: window, audibleSamples: audibleSamples)
            if finding == .skipped(.silence) { return finding }
            if case .speech(let speech) = finding,
                try voiceShare(of: speech, windowStart: startSample, windowSamples: window.count) >= settings.leastVoiceShare
            {
                return finding
            }
            let voice = try findVoice(in: window, startSample: startSample, audibleSamples: audibleSamples)
            if case .speech = voice { return voice }
            if case .speech = finding { return .skipped(.notSpeech) }
            return finding
        }
    }

    /// The share of a stretch's chunks that are a voice. Chunks at its edges count too.
    private mutating func voiceShare(of speech: Range<Int>, windowStart: Int64, windowSamples: Int) throws -> Float {
        let edge = sampleRateHz / 16
        let stretch = max(0, speech.lowerBound - edge)..<min(windowSamples, speech.upperBound + edge)
        guard let chunks = try activity?.chunks(in: windowStart + Int64(stretch.lowerBound)..<windowStart + Int64(stretch.upperBound)),
            !chunks.probabilities.isEmpty
        else { return 0 }
        return Float(chunks.probabilities.count { $0 > settings.voiceProbability }) / Float(chunks.probabilities.count)
    }

    /// The longest stretch that is a voice: from a chunk above `voiceProbability` up to one below `pauseProbability`.
    private mutating func findVoice(
        in window: UnsafeBufferPointer<Float>, startSample: Int64, audibleSamples: Int
    ) throws -> SpeechGate.Finding {
        guard let chunks = try activity?.chunks(in: startSample..<startSample + Int64(window.count)) else { return .skipped(.notSpeech) }
        var stretches: [Range<Int>] = []
        var isVoice = false
        for (samples, probability) in zip(chunks.samples, chunks.probabilities) {
            isVoice = probability > (isVoice ? min(settings.pauseProbability, settings.voiceProbability) : settings.voiceProbability)
            guard isVoice else { continue }
            let start = Int(samples.lowerBound - startSample)
            let end = min(Int(samples.upperBound - startSample), audibleSamples)
            guard start < end else { continue }
            if let last = stretches.last, Double(start - last.upperBound) < settings.joinSeconds * Double(sampleRateHz) {
                stretches[stretches.count - 1] = last.lowerBound..<end
            } else {
                stretches.append(start..<end)
            }
        }
        let longestCount = stretches.map(\.count).max() ?? 0
        guard let longest = stretches.first(where: { $0.count == longestCount }) else { return .skipped(.notSpeech) }
        return Double(longest.count) >= settings.shortestSpeechSeconds * Double(sampleRateHz) ? .speech(longest) : .skipped(.tooShort)
    }
}
