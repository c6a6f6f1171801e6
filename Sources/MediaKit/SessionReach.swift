import Wire

/// How far a node is with one session, in media time.
struct SessionReach: Sendable {
    private var isLive = false
    /// End of the newest media that came in.
    private(set) var receivedNanoseconds: Int64 = 0
    /// Up to where the node is done.
    private var examinedNanoseconds: Int64 = 0

    mutating func receive(_ message: WireMessage) {
        let envelope = message.envelope
        if envelope.kind == .info, let info = try? message.decode(Adreact_V1_Info.self) { isLive = info.session.live }
        receivedNanoseconds = max(receivedNanoseconds, envelope.mediaStartNanoseconds + envelope.mediaDurationNanoseconds)
    }

    mutating func examine(to mediaNanoseconds: Int64) { examinedNanoseconds = max(examinedNanoseconds, mediaNanoseconds) }

    func status(_ session: String, stages: (received: String, done: String), queuedBytes: Int) -> Adreact_V1_SessionStatus {
        .with {
            $0.session = session
            $0.live = isLive
            $0.reachedNanoseconds = [stages.received: receivedNanoseconds, stages.done: examinedNanoseconds]
            $0.lagNanoseconds = max(0, receivedNanoseconds - examinedNanoseconds)
            $0.queuedBytes = Int64(queuedBytes)
        }
    }
}
