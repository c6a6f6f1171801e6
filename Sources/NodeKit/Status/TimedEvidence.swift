import Wire

/// Evidence that says which media it was made from.
package protocol TimedEvidence {
    /// The end of the newest of them. For a voice window the window's, not that of the speech in it.
    var mediaEndNanoseconds: Int64 { get }
}

extension Adreact_V1_VoiceWindow: TimedEvidence {
    package var mediaEndNanoseconds: Int64 { endNanoseconds }
}

extension Adreact_V1_FaceFrame: TimedEvidence {
    package var mediaEndNanoseconds: Int64 { ptsNanoseconds }
}

extension Adreact_V1_PulseClip: TimedEvidence {
    package var mediaEndNanoseconds: Int64 { endNanoseconds }
}
