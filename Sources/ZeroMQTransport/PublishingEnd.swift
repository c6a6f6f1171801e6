import StreamLog
import Wire

/// Drives a `Publisher` over a socket of a loop. Lives on the loop's thread.
public final class PublishingEnd {
    private let loop: SocketLoop
    private let instance: String
    private var publisher: Publisher<Peer, WireMessage>
    /// The peer to announce this publisher to: where it connects, nobody else could know of it.
    private var connectedPeer: Peer?
    /// Peers that leave what they are sent unread.
    private var deaf: Set<Peer> = []
    /// What was sent.
    public private(set) var traffic = Traffic()
    private var lastHeartbeat = -Double.infinity
    private let rejected: (WireError) -> Void

    /// Called when entries were dropped because every required group has them.
    public var released: (_ session: String, _ bytes: Int) -> Void = { _, _ in }
    /// Called when all of a completed session was acknowledged by every required group.
    public var over: (_ session: String) -> Void = { _ in }
    /// Called when a named group has come further, or begins anew.
    public var moved: (GroupPlace) -> Void = { _ in }
    public var rewound: (_ group: String) -> Void = { _ in }
    /// Called after every change, for those who wait on acknowledgements.
    public var acknowledged: () -> Void = {}
    /// Offered each message that comes; returns whether it was not of the log protocol, and has been seen to.
    public var aside: (WireMessage, Peer) throws(WireError) -> Bool = { _, _ in false }
    /// What to tell readers of the progress of open sessions, with each heartbeat.
    public var progress: () -> [Adreact_V1_SessionProgress] = { [] }

    /// Binds `endpoint`, or connects to it.
    /// - Parameter rejected: told of every message that is not of the protocol.
    public init(
        _ loop: SocketLoop, endpoint: String, binds: Bool, instance: String,
        settings: Publisher<Peer, WireMessage>.Settings, rejected: @escaping (WireError) -> Void
    ) throws(TransportError) {
        self.loop = loop
        self.instance = instance
        self.rejected = rejected
        publisher = Publisher(instance: instance, settings: settings)
        let receive: (SocketLoop.Frames, Peer) -> Void = { [unowned self] frames, peer in received(frames, from: peer) }
        if binds { _ = try loop.bind(endpoint, maximumMessageBytes: SocketLoop.maximumReaderMessageBytes, receive: receive) } else { connectedPeer = try loop.connect(endpoint, receive: receive) }
        loop.addTicker { [unowned self] now in tick(now) }
    }

    /// Where named groups were in an earlier life of this process.
    public func restore(_ places: [GroupPlace]) { publisher.restore(places) }

    public func open(_ log: LogID, first: UInt64 = 0, info: WireMessage) { perform(publisher.open(log, first: first, info: info)) }

    public func append(_ log: LogID, sequence: UInt64, next: UInt64? = nil, _ message: WireMessage) {
        perform(publisher.append(log, sequence: sequence, next: next, message))
    }

    public func close(_ log: LogID, end: WireMessage) { perform(publisher.close(log, end: end)) }

    /// No further log of this session will be opened.
    public func complete(session: String) { perform(publisher.complete(session: session)) }

    /// What a group has not begun of a session's track: see `Publisher.backlog`.
    public func backlog(session: String, track: String, group: String) -> [(log: LogID, bytes: Int, next: UInt64)] {
        publisher.backlog(session: session, track: track, group: group)
    }

    /// Lets a group do without a closed log. `gap`: of kind GAP, from number 0 to the end of the log.
    public func shed(_ log: LogID, for group: String, gap: WireMessage) { perform(publisher.shed(log, for: group, gap: gap)) }

    /// Drops everything of a session, acknowledged or not.
    public func forget(session: String) { perform(publisher.forget(session: session)) }

    public func isAcknowledged(_ log: LogID, before next: UInt64) -> Bool { publisher.isAcknowledged(log, before: next) }

    /// Everything written has been acknowledged by everybody who must.
    public var isDone: Bool { publisher.isDone }

    /// Whether every required group that holds on to something of a session has been sent all that there is.
    public func isStarving(session: String) -> Bool { publisher.isStarving(session: session) }

    public var hasTransientReaders: Bool { !publisher.transientPeers.isEmpty }

    /// Sends something outside the log to every reader that wants such things.
    public func sendTransient(_ message: WireMessage) {
        for peer in publisher.transientPeers { send(message, to: peer) }
    }

    // MARK: State, for those who watch

    public var counters: Publisher<Peer, WireMessage>.Counters { publisher.counters }
    public var queuedBytes: Int { publisher.byteCount }
    public func queuedBytes(session: String) -> Int { publisher.byteCount(session: session) }
    public var readers: [(group: String, member: String, creditBytes: Int)] { publisher.readers }
    public var groupNames: Set<String> { publisher.groupNames }
    public var sessionNames: [String] { publisher.sessionNames }
    /// The peer that this end connected to, if it reads, and so is there.
    public var peerToTell: [Peer] { connectedPeer.map { publisher.peers.contains($0) ? [$0] : [] } ?? [] }

    /// Media time between the newest entry of a session and the oldest that a group has not acknowledged, in nanoseconds.
    public func lagNanoseconds(of group: String, session: String) -> Int64 {
        guard let kept = publisher.unacknowledged(by: group, session: session) else { return 0 }
        let newest = kept.newest.envelope
        return max(0, newest.mediaStartNanoseconds + newest.mediaDurationNanoseconds - kept.oldest.envelope.mediaStartNanoseconds)
    }

    // MARK: -

    private func received(_ frames: SocketLoop.Frames, from peer: Peer) {
        do throws(WireError) {
            let message = try WireMessage(frames: frames)
            if try aside(message, peer) { return }
            perform(publisher.receive(try ReaderMessage(message), from: peer, now: SocketLoop.now()))
            acknowledged()
        } catch {
            rejected(error)
        }
    }

    private func perform(_ actions: [Publisher<Peer, WireMessage>.Action]) {
        for action in actions {
            switch action {
            case .released(let session, let bytes): released(session, bytes)
            case .over(let session): over(session)
            case .moved(let place): moved(place)
            case .rewound(let group): rewound(group)
            case .refused(let what): rejected(.refused(what))
            case .send(let peer, let message): if !deaf.contains(peer) { send(message, to: peer) }
            }
        }
        while let peer = deaf.popFirst() { perform(publisher.disconnect(peer)) }
    }

    private func send(_ message: PublisherMessage<WireMessage>, to peer: Peer) {
        switch message {
        case .info(_, let first, let payload):
            var envelope = payload.envelope
            envelope.sequence = first
            let info = first == payload.envelope.sequence ? payload : WireMessage(envelope, body: payload.body)
            send(info, to: peer)
        case .entry(_, _, _, let payload), .end(_, _, let payload):
            send(payload, to: peer)
        case .over(let session):
            var envelope = Envelope()
            envelope.kind = .over
            envelope.session = session
            envelope.sourceInstance = instance
            loop.send([WireMessage(envelope, body: []).envelopeBytes, []], to: peer)
        case .hello(let instance):
            var envelope = Envelope()
            envelope.kind = .hello
            envelope.sourceInstance = instance
            let hello = WireMessage(envelope, body: Adreact_V1_Hello.with { $0.instance = instance })
            loop.send([hello.envelopeBytes, hello.body], to: peer)
        case .heartbeat(let instance):
            var envelope = Envelope()
            envelope.kind = .heartbeat
            envelope.sourceInstance = instance
            let beat = WireMessage(envelope, body: Adreact_V1_Heartbeat.with { $0.sessions = progress() })
            loop.send([beat.envelopeBytes, beat.body], to: peer)
        }
    }

    private func send(_ message: WireMessage, to peer: Peer) {
        traffic.count(message)
        if !loop.send([message.envelopeBytes, message.body], to: peer) { deaf.insert(peer) }
    }

    private func tick(_ now: Double) {
        perform(publisher.tick(now: now))
        guard now - lastHeartbeat >= 0.25 else { return }
        lastHeartbeat = now
        for peer in Set(publisher.peers + [connectedPeer].compactMap(\.self)) { send(.heartbeat(instance: instance), to: peer) }
    }
}
