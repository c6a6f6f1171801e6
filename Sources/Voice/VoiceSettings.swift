/// Every constant of the voice analysis. The defaults are those of the original system, but for the floor and the
/// fluctuation of the gate, which it lacked.
public struct VoiceSettings: Sendable, Equatable {
    /// Rate of the samples; all positions count on this grid from media time 0.
    public var sampleRateHz = 48_000
    /// 3 s.
    public var windowSamples = 144_000
    /// 0.5 s between the starts of windows.
    public var hopSamples = 24_000
    /// Windows with speech that go through the network in one call. More than 1 is faster, and delays results until the
    /// batch is full: for recordings.
    public var batchWindows = 1
    /// The longest stretch without samples that counts as silence; a longer one means a broken clock. 6 h.
    public var longestGapSamples: Int64 = 6 * 3600 * 48_000
    public var gate = SpeechGateSettings()

    public init() {}
}

/// When a stretch of sound counts as speech.
public struct SpeechGateSettings: Sendable, Equatable {
    /// Length of the frames whose level is measured, centred as librosa does.
    public var frameSamples = 2048
    /// Distance between frames.
    public var frameHopSamples = 512
    /// A frame is speech where its RMS exceeds this share of the window's largest.
    public var relativeThreshold: Float = 0.2
    /// And where it exceeds this level. -57 dBFS RMS is below soft speech at a distant laptop microphone (about -45 dBFS,
    /// its weak syllables 10 dB lower) and above the self-noise of microphones (-60 dBFS and less).
    public var floorDBFS: Float = -57
    /// Runs of speech frames less than this apart are one.
    public var joinSeconds = 0.3
    /// Runs shorter than this are dropped, after joining.
    public var shortestSpeechSeconds = 1.0
    /// Levels in a stretch of speech must fluctuate at least this much: the distance in dB between two percentiles of the
    /// levels, each less the mean of its neighbourhood. Syllables rise and fall several times a second; hiss, hum and fans
    /// do not, however loud they are.
    ///
    /// Measured on windows of 3 s: white noise up to 0.9 dB, pink up to 2.5, pink that swells by 9 dB every 3 s 2.3, every
    /// second 4.5, noise with a power of f^-1.5 up to 5.7. Speech of RAVDESS, nEMO and EMOVO (171 clips): least 6.7 clean
    /// or with pink noise 10 dB below it, 5.5 in a room as loud as the voice with 0.6 s of reverberation.
    public var leastFluctuationDB: Float = 5.5
    /// The neighbourhood whose mean is taken off: about two syllables.
    public var neighbourhoodSeconds = 0.5
    /// The percentiles between which the fluctuation is measured.
    public var fluctuationPercentiles: ClosedRange<Float> = 10...90
    /// A chunk of 32 ms is a voice where Silero's network gives it a higher probability.
    public var voiceProbability: Float = 0.5
    /// And, in a voice, one is a pause where it gives a lower one (energy does not decide).
    public var pauseProbability: Float = 0.35
    /// The least share of a loud stretch that must be a voice, where both gates decide.
    ///
    /// Low, for Silero's network loses parts of shouted and of whispered speech; music, typing and applause have next to
    /// none. Figures: docs/speech-gate.md.
    public var leastVoiceShare: Float = 0.2

    public init() {}
}
