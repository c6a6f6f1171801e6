import Wire

/// What has passed through one end of a connection since the process began: messages of logs, and their bytes.
public struct Traffic: Sendable, Equatable {
    public private(set) var messages = 0
    public private(set) var bytes = 0
    public private(set) var gaps = 0

    mutating func count(_ message: WireMessage) {
        switch message.envelope.kind {
        case .info, .data, .gap, .end, .transient: break
        default: return
        }
        messages += 1
        bytes += message.byteCount
        if message.envelope.kind == .gap { gaps += 1 }
    }
}
