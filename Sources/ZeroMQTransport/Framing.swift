import StreamLog
import Wire

extension WireMessage: LogPayload {}

extension Envelope {
    /// An envelope addressed to a log.
    public init(_ kind: BodyKind, _ log: LogID, sequence: UInt64 = 0) {
        self.init()
        self.kind = kind
        session = log.session
        track = log.track
        segment = log.segment
        self.sequence = sequence
    }

    public var log: LogID { LogID(session: session, track: track, segment: segment) }
}

/// What a publisher says, read off the wire.
enum FromPublisher {
    case log(PublisherMessage<WireMessage>)
    case transient(WireMessage)
    case progress([Adreact_V1_SessionProgress], instance: String)

    init(_ message: WireMessage) throws(WireError) {
        let envelope = message.envelope
        switch envelope.kind {
        case .info:
            self = .log(.info(envelope.log, first: envelope.sequence, message))
        case .data:
            guard envelope.sequence < .max - 1 else { throw .malformed("sequence out of range") }
            self = .log(.entry(envelope.log, sequence: envelope.sequence, next: envelope.sequence + 1, message))
        case .gap:
            let gap = try message.decode(Adreact_V1_Gap.self)
            guard gap.nextSequence > envelope.sequence else { throw .malformed("gap that ends before it begins") }
            self = .log(.entry(envelope.log, sequence: envelope.sequence, next: gap.nextSequence, message))
        case .end:
            guard envelope.sequence < .max - 1 else { throw .malformed("sequence out of range") }
            self = .log(.end(envelope.log, sequence: envelope.sequence, message))
        case .over:
            self = .log(.over(session: envelope.session))
        case .hello:
            let hello = try message.decode(Adreact_V1_Hello.self)
            guard hello.instance.utf8.count <= WireMessage.maximumNameBytes else { throw .malformed("greeting with an oversized name") }
            self = .log(.hello(instance: hello.instance))
        case .heartbeat:
            self = .progress(try message.decode(Adreact_V1_Heartbeat.self).sessions, instance: envelope.sourceInstance)
        case .transient:
            self = .transient(message)
        default:
            throw .unexpected(envelope.kind.rawValue)
        }
    }
}

extension ReaderMessage {
    /// What a reader says, read off the wire.
    init(_ message: WireMessage) throws(WireError) {
        switch message.envelope.kind {
        case .subscribe:
            let body = try message.decode(Adreact_V1_Subscribe.self)
            guard body.group.utf8.count <= WireMessage.maximumNameBytes, body.member.utf8.count <= WireMessage.maximumNameBytes,
                body.tracks.count <= 64, body.tracks.allSatisfy({ $0.utf8.count <= WireMessage.maximumNameBytes })
            else { throw .malformed("subscription with oversized names") }
            self = .subscribe(Subscription(body))
        case .credit:
            self = .credit(bytes: Int(clamping: try message.decode(Adreact_V1_Credit.self).bytes))
        case .acknowledge:
            let body = try message.decode(Adreact_V1_Acknowledge.self)
            self = .acknowledge(message.envelope.log, next: body.nextSequence, resend: body.resend)
        case .heartbeat:
            self = .heartbeat
        default:
            throw .unexpected(message.envelope.kind.rawValue)
        }
    }

    func message(from instance: String) -> WireMessage {
        var envelope = Envelope()
        envelope.sourceInstance = instance
        switch self {
        case .subscribe(let wanted):
            envelope.kind = .subscribe
            return WireMessage(envelope, body: wanted.wire)
        case .credit(let bytes):
            envelope.kind = .credit
            return WireMessage(envelope, body: Adreact_V1_Credit.with { $0.bytes = UInt64(clamping: bytes) })
        case .acknowledge(let log, let next, let resend):
            envelope = Envelope(.acknowledge, log)
            envelope.sourceInstance = instance
            return WireMessage(envelope, body: Adreact_V1_Acknowledge.with { $0.nextSequence = next; $0.resend = resend })
        case .heartbeat:
            envelope.kind = .heartbeat
            return WireMessage(envelope, body: Adreact_V1_Heartbeat())
        }
    }
}

extension Subscription {
    init(_ body: Adreact_V1_Subscribe) {
        let sharing: Sharing = switch body.sharing {
        case .sessions: .sessions
        case .segments: .segments
        default: .everything
        }
        self.init(
            group: body.group, member: body.member, sharing: sharing, tracks: Set(body.tracks),
            creditBytes: Int(clamping: body.creditBytes), wantsTransient: body.transient, fromStart: body.fromStart)
    }

    var wire: Adreact_V1_Subscribe {
        .with {
            $0.group = group
            $0.member = member
            $0.sharing = switch sharing {
            case .everything: .everything
            case .sessions: .sessions
            case .segments: .segments
            }
            $0.tracks = tracks.sorted()
            $0.creditBytes = UInt64(clamping: creditBytes)
            $0.transient = wantsTransient
            $0.fromStart = fromStart
        }
    }
}
