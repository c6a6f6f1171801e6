/// What the voice says: the order of the classes in every vector of logits and probabilities.
public enum VoiceClass: Int, Sendable, CaseIterable {
    case positive = 0
    case neutral = 1
    case negative = 2
}

/// One window of the audio track, with what was heard in it. Times are media time.
public struct VoiceWindow: Sendable, Equatable {
    /// The window starts at `index` times the hop (0.5 s by default).
    public var index: Int64
    public var startNanoseconds: Int64
    /// Cut at the end of the audio.
    public var endNanoseconds: Int64
    public var outcome: Outcome

    public enum Outcome: Sendable, Equatable {
        case speech(SpeechResult)
        case skipped(SkipReason)
    }

    public init(index: Int64, startNanoseconds: Int64, endNanoseconds: Int64, outcome: Outcome) {
        self.index = index
        self.startNanoseconds = startNanoseconds
        self.endNanoseconds = endNanoseconds
        self.outcome = outcome
    }
}

/// The longest stretch of speech in a window, classified.
public struct SpeechResult: Sendable, Equatable {
    /// Bounds of the speech part, within the window.
    public var startNanoseconds: Int64
    public var endNanoseconds: Int64
    /// Three, in the order of `VoiceClass`, already divided by the model's temperature.
    public var logits: [Float]
    /// Three more of networks that are made for a personal baseline: what they make of the speech before what is usual for
    /// this person is taken off (`ModelBaseline`). Nil for other networks.
    public var relativeLogits: [Float]?
    /// Softmax of `logits`.
    public var probabilities: [Float]
    /// Mean power of the speech part in dB; 0 dBFS is a constant signal of amplitude 1.
    public var energyDBFS: Float

    public init(
        startNanoseconds: Int64, endNanoseconds: Int64, logits: [Float], relativeLogits: [Float]? = nil, probabilities: [Float],
        energyDBFS: Float
    ) {
        self.startNanoseconds = startNanoseconds
        self.endNanoseconds = endNanoseconds
        self.logits = logits
        self.relativeLogits = relativeLogits
        self.probabilities = probabilities
        self.energyDBFS = energyDBFS
    }
}

/// Why a window has no result.
public enum SkipReason: String, Sendable, Equatable, CaseIterable {
    /// Nothing in it is louder than the absolute floor.
    case silence
    /// Sound, but no stretch of it as long as the shortest speech.
    case tooShort
    /// Sound of an even level: hiss, hum, a fan.
    case steadyNoise
    /// Sound that is not of a voice: music, typing, applause.
    case notSpeech
}

/// What went wrong in the voice analysis, to which input.
public struct VoiceError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: Sendable, Equatable {
        /// Samples before the end of those already taken.
        case overlappingAudio
        /// Samples implausibly far ahead.
        case implausibleTime
        /// A classifier that broke its contract.
        case badClassifier
        /// A model folder that does not hold a voice model that this version can serve.
        case unusableModel
    }

    public var code: Code
    public var detail: String

    public init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    public var description: String { "voice analysis: \(detail)" }
}
