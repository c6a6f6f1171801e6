/// One of the three kinds of evidence, each examined by a node of its own.
public enum Lane: String, Sendable, Codable, CaseIterable, CustomStringConvertible {
    case voice, face, pulse

    public var description: String { rawValue }
}

/// What logits become this person's own with.
public struct PersonalEvidence: Sendable, Equatable, Codable {
    /// Positive, neutral, negative, before what is usual for this person is taken off.
    public let relativeLogits: [Float]
    /// The model's constants.
    public let baseline: PersonalBaseline

    public init(relativeLogits: [Float], baseline: PersonalBaseline) {
        self.relativeLogits = relativeLogits
        self.baseline = baseline
    }
}

/// What a voice window holds: its speech part, classified. Windows without speech are covered, and send no evidence.
public struct VoiceEvidence: Sendable, Equatable, Codable {
    /// The content number of the voice window: it identifies this evidence.
    public let index: Int64
    /// The speech part `[start, end)` in media time; it starts no earlier than its window does.
    public let startNanoseconds: Int64
    public let endNanoseconds: Int64
    /// Positive, neutral, negative, before softmax.
    public let logits: [Float]
    /// Of networks that are made for a personal baseline; nil for others.
    public let personal: PersonalEvidence?
    /// Mean level of the speech part in dB relative to full scale, at most 0 for unclipped sound.
    public let energyDBFS: Float

    public init(
        index: Int64, startNanoseconds: Int64, endNanoseconds: Int64, logits: [Float], personal: PersonalEvidence? = nil, energyDBFS: Float
    ) {
        self.index = index
        self.startNanoseconds = startNanoseconds
        self.endNanoseconds = endNanoseconds
        self.logits = logits
        self.personal = personal
        self.energyDBFS = energyDBFS
    }
}

/// What a video frame shows. Every examined frame sends one, with or without a face.
public struct FaceEvidence: Sendable, Equatable, Codable {
    /// Presentation time in media time: it identifies this evidence.
    public let ptsNanoseconds: Int64
    /// How long the frame is shown, where the container says so. Only used for a session's first frame.
    public let durationNanoseconds: Int64?
    /// Positive, neutral, negative, before softmax; nil where there is no face that can be judged.
    public let logits: [Float]?
    /// Whether the main viewer's face is in the picture, judged or not.
    public let showsViewer: Bool
    /// Whether the main viewer faces the screen with open eyes.
    public let isAttentive: Bool
    /// Faces seen in the picture, the main viewer's included.
    public let faceCount: Int

    /// - Parameter showsViewer: nil: where there are logits.
    public init(
        ptsNanoseconds: Int64, durationNanoseconds: Int64? = nil, logits: [Float]?, showsViewer: Bool? = nil,
        isAttentive: Bool = false, faceCount: Int
    ) {
        self.ptsNanoseconds = ptsNanoseconds
        self.durationNanoseconds = durationNanoseconds
        self.logits = logits
        self.showsViewer = showsViewer ?? (logits != nil)
        self.isAttentive = isAttentive
        self.faceCount = faceCount
    }
}

/// What a clip of the pulse wave shows.
public struct PulseEvidence: Sendable, Equatable, Codable {
    /// The content number of the clip: it identifies this evidence.
    public let index: Int64
    /// The clip `[start, end)` in media time.
    public let startNanoseconds: Int64
    public let endNanoseconds: Int64
    /// Beats per minute; nil where it cannot be told.
    public let heartRateBPM: Double?
    /// Confidence in the heart rate, 0...1.
    public let confidence: Double
    /// Quality of the pulse wave, 0...1.
    public let signalQuality: Double
    /// Positive, neutral, negative, before softmax; nil where unknown, or without a pulse classifier.
    public let logits: [Float]?
    /// Of models that set the pulse against what is usual for the person; nil for others.
    public let personal: PersonalEvidence?

    public init(
        index: Int64, startNanoseconds: Int64, endNanoseconds: Int64, heartRateBPM: Double?, confidence: Double,
        signalQuality: Double, logits: [Float]?, personal: PersonalEvidence? = nil
    ) {
        self.index = index
        self.startNanoseconds = startNanoseconds
        self.endNanoseconds = endNanoseconds
        self.heartRateBPM = heartRateBPM
        self.confidence = confidence
        self.signalQuality = signalQuality
        self.logits = logits
        self.personal = personal
    }
}

/// What became of evidence that was handed in.
public enum Admission: Sendable, Equatable {
    /// It counts.
    case accepted
    /// It is known already, and changes nothing.
    case duplicate
    /// Its time has been covered or given up for good, and it changes nothing. A duplicate looks like this too, once
    /// its evidence has been used and forgotten.
    case late
}
