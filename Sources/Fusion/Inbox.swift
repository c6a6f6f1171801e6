/// Evidence that waits until everything before it is known.
struct Inbox: Sendable {
    private var voice = MinimumHeap<VoicePart>()
    private var face = MinimumHeap<FaceFrame>()
    private var pulse = MinimumHeap<PulsePart>()
    private var voiceIndices: Set<Int64> = []
    private var facePts: Set<Int64> = []
    private var pulseIndices: Set<Int64> = []

    var count: Int { voice.count + face.count + pulse.count }

    /// Returns false, and changes nothing, where this evidence waits already.
    mutating func insert(_ part: VoicePart) -> Bool {
        guard voiceIndices.insert(part.index).inserted else { return false }
        voice.insert(part)
        return true
    }

    mutating func insert(_ frame: FaceFrame) -> Bool {
        guard facePts.insert(frame.pts).inserted else { return false }
        face.insert(frame)
        return true
    }

    mutating func insert(_ clip: PulsePart) -> Bool {
        guard pulseIndices.insert(clip.index).inserted else { return false }
        pulse.insert(clip)
        return true
    }

    /// The earliest voice part, if it starts before `frontier`.
    mutating func removeVoice(before frontier: Int64) -> VoicePart? {
        guard let part = voice.minimum, part.start < frontier else { return nil }
        voiceIndices.remove(part.index)
        return voice.removeMinimum()
    }

    mutating func removeFace(before frontier: Int64) -> FaceFrame? {
        guard let frame = face.minimum, frame.pts < frontier else { return nil }
        facePts.remove(frame.pts)
        return face.removeMinimum()
    }

    mutating func removePulse(before frontier: Int64) -> PulsePart? {
        guard let clip = pulse.minimum, clip.start < frontier else { return nil }
        pulseIndices.remove(clip.index)
        return pulse.removeMinimum()
    }
}
