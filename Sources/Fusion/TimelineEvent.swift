/// What fusion has to say, in the order in which it becomes known. Within the emotion windows, the pulse windows and
/// the seconds, media time only moves forward (but for amendments, see ``TimelineWindow/revision``).
public enum TimelineEvent: Sendable, Equatable {
    case window(TimelineWindow)
    case second(SecondRow)
    /// An amendment: a window that was final no longer exists. Its successors, if any, follow as windows.
    case retracted(TimelineRetraction)
    /// The session is over and everything has been said. Nothing follows.
    case ended(endNanoseconds: Int64)
}

/// Where a window comes from. Voice, face and fused windows together are the emotion timeline, and never overlap one
/// another; pulse windows stand beside it.
public enum TimelineLane: String, Sendable, Codable, CaseIterable, CustomStringConvertible {
    /// Speech, while no usable face was seen.
    case voice
    /// A face, outside speech.
    case face
    /// Speech and face together.
    case fused
    /// The pulse wave, never fused with the others.
    case pulse

    public var description: String { rawValue }

    /// Whether this lane is part of the emotion timeline.
    public var isEmotion: Bool { self != .pulse }
}

/// A stretch of media time with one label.
public struct TimelineWindow: Sendable, Equatable, Codable {
    public let session: String
    public let lane: TimelineLane
    /// The content number: emotion windows (voice, face and fused together) are numbered 0, 1, 2... in time order,
    /// pulse windows likewise for themselves. Amendments take the next free numbers. A provisional window carries the
    /// number that it would have if nothing else came.
    public let index: UInt64
    /// Whether nothing but an amendment can change it.
    public let isFinal: Bool
    /// Final windows: 0, and higher for each amendment of their stretch. Provisional windows: the number of the
    /// snapshot that they belong to; a higher snapshot replaces all of the lower ones, and a final window replaces
    /// every provisional one that it overlaps.
    public let revision: UInt64
    /// The window `[start, end)` in media time; never empty.
    public let startNanoseconds: Int64
    public let endNanoseconds: Int64
    public let label: Emotion
    public let probabilities: Probabilities
    /// The voice's own part; nil in face and pulse windows.
    public let voice: VoiceShare?
    /// The face's own part; nil in voice and pulse windows.
    public let face: FaceShare?
    /// Heart rate and quality; nil in emotion windows.
    public let pulse: PulseShare?
    /// The lanes that could have contributed more, had not something in this window been lost, or were they not absent:
    /// face for voice and fused windows, voice and face for face windows, pulse for pulse windows. In the order of
    /// `Lane.allCases`. (Where a voice window is, the voice has been heard.)
    public let missing: [Lane]

    /// What the voice contributed to a window.
    public struct VoiceShare: Sendable, Equatable, Codable {
        public let probabilities: Probabilities
        /// Voice windows merged into this one.
        public let windowCount: Int
        /// Mean level over these voice windows, in dB relative to full scale.
        public let energyDBFS: Double
        /// How much of this person's speech the personal baseline was made of at the window's end, in windows that do not
        /// overlap; nil where none was used.
        public let baselineWindows: Double?

        public init(probabilities: Probabilities, windowCount: Int, energyDBFS: Double, baselineWindows: Double? = nil) {
            self.probabilities = probabilities
            self.windowCount = windowCount
            self.energyDBFS = energyDBFS
            self.baselineWindows = baselineWindows
        }
    }

    /// What the face contributed to a window.
    public struct FaceShare: Sendable, Equatable, Codable {
        public let probabilities: Probabilities
        /// Frames with a usable face that were averaged.
        public let frameCount: Int

        public init(probabilities: Probabilities, frameCount: Int) {
            self.probabilities = probabilities
            self.frameCount = frameCount
        }
    }

    /// What the pulse clips of a window measured.
    public struct PulseShare: Sendable, Equatable, Codable {
        /// Mean over the clips that know it; nil where none does.
        public let heartRateBPM: Double?
        /// Means over the clips, 0...1.
        public let confidence: Double
        public let signalQuality: Double
        public let clipCount: Int
        /// Whether the window contradicts the emotion windows in it, by the rule of ``Contradiction``; nil where that cannot be judged.
        public let contradicts: Bool?

        public init(
            heartRateBPM: Double?, confidence: Double, signalQuality: Double, clipCount: Int, contradicts: Bool? = nil
        ) {
            self.heartRateBPM = heartRateBPM
            self.confidence = confidence
            self.signalQuality = signalQuality
            self.clipCount = clipCount
            self.contradicts = contradicts
        }
    }

    public init(
        session: String, lane: TimelineLane, index: UInt64, isFinal: Bool, revision: UInt64, startNanoseconds: Int64,
        endNanoseconds: Int64, label: Emotion, probabilities: Probabilities, voice: VoiceShare? = nil,
        face: FaceShare? = nil, pulse: PulseShare? = nil, missing: [Lane] = []
    ) {
        self.session = session
        self.lane = lane
        self.index = index
        self.isFinal = isFinal
        self.revision = revision
        self.startNanoseconds = startNanoseconds
        self.endNanoseconds = endNanoseconds
        self.label = label
        self.probabilities = probabilities
        self.voice = voice
        self.face = face
        self.pulse = pulse
        self.missing = missing
    }
}

/// A final window that an amendment takes back.
public struct TimelineRetraction: Sendable, Equatable, Codable {
    public let session: String
    public let lane: TimelineLane
    /// The content number of the window that is taken back.
    public let index: UInt64
    /// Higher than that of the window taken back.
    public let revision: UInt64
    public let startNanoseconds: Int64
    public let endNanoseconds: Int64

    public init(
        session: String, lane: TimelineLane, index: UInt64, revision: UInt64, startNanoseconds: Int64,
        endNanoseconds: Int64
    ) {
        self.session = session
        self.lane = lane
        self.index = index
        self.revision = revision
        self.startNanoseconds = startNanoseconds
        self.endNanoseconds = endNanoseconds
    }
}

/// One second of media time, `[second, second + 1)`, or what there is of it before the session's end: the last row's
/// shares are of the part that exists.
public struct SecondRow: Sendable, Equatable, Codable {
    public let session: String
    /// 0, 1, 2... It is the content number too.
    public let second: Int64
    /// 0, and higher for each amendment.
    public let revision: UInt64
    /// Mean over the emotion windows in this second, weighted by their time in it; nil where there is none.
    public let probabilities: Probabilities?
    /// The lanes of the emotion windows in this second, in the order of `TimelineLane.allCases`.
    public let sources: [TimelineLane]
    /// Share of the second that frames with a usable face speak for, 0...1.
    public let faceShare: Double
    /// Share of the second that frames with the main viewer's face speak for, usable or not, 0...1; nil where frames speak for none of it.
    public let viewerShare: Double?
    /// Share of the second in which the main viewer faces the screen with open eyes, 0...1; nil as `viewerShare`.
    public let attention: Double?
    /// Share of the second that lies in speech parts, 0...1.
    public let speechShare: Double
    /// The most faces in one frame of this second; nil without frames.
    public let faceCount: Int?
    /// What the pulse clips in this second measured; nil without clips.
    public let pulse: Pulse?
    /// The lanes of which something in this second was lost or is absent, in the order of `Lane.allCases`.
    public let missing: [Lane]

    /// P(positive) - P(negative); nil without emotion windows.
    public var valence: Double? { probabilities?.valence }

    /// Means over the pulse clips in a second, weighted by their time in it.
    public struct Pulse: Sendable, Equatable, Codable {
        /// Over the clips that know it; nil where none does.
        public let heartRateBPM: Double?
        /// 0...1.
        public let confidence: Double
        /// 0...1.
        public let signalQuality: Double
        /// Over the clips that have a label; nil where none does.
        public let probabilities: Probabilities?

        public var label: Emotion? { probabilities?.mostLikely }

        public init(heartRateBPM: Double?, confidence: Double, signalQuality: Double, probabilities: Probabilities?) {
            self.heartRateBPM = heartRateBPM
            self.confidence = confidence
            self.signalQuality = signalQuality
            self.probabilities = probabilities
        }
    }

    public init(
        session: String, second: Int64, revision: UInt64 = 0, probabilities: Probabilities?, sources: [TimelineLane],
        faceShare: Double, viewerShare: Double?, attention: Double?, speechShare: Double, faceCount: Int?, pulse: Pulse?, missing: [Lane]
    ) {
        self.session = session
        self.second = second
        self.revision = revision
        self.probabilities = probabilities
        self.sources = sources
        self.faceShare = faceShare
        self.viewerShare = viewerShare
        self.attention = attention
        self.speechShare = speechShare
        self.faceCount = faceCount
        self.pulse = pulse
        self.missing = missing
    }
}
