import StreamLog
import Wire

/// Drives a `Reader` over a socket of a loop. Lives on the loop's thread.
public final class ReadingEnd {
    public typealias Delivery = Reader<Peer, WireMessage>.Delivery
    public typealias Ticket = Reader<Peer, WireMessage>.Ticket

    private let loop: SocketLoop
    private let instance: String
    private let binds: Bool
    private var reader: Reader<Peer, WireMessage>
    private let rejected: (WireError) -> Void
    /// What was received.
    public private(set) var traffic = Traffic()

    /// Called with every entry of every log, once and in order.
    public var delivered: (Delivery) -> Void = { _ in }
    /// Called with what travels outside the logs.
    public var transient: (WireMessage) -> Void = { _ in }
    /// Called when a publisher says that nothing of a session will come any more.
    public var over: (_ session: String) -> Void = { _ in }
    /// Offered each message that comes; returns whether it was not of the log protocol, and has been seen to.
    public var aside: (WireMessage, Peer) throws(WireError) -> Bool = { _, _ in false }
    public var progressed: ([Adreact_V1_SessionProgress]) -> Void = { _ in }

    public var counters: Reader<Peer, WireMessage>.Counters { reader.counters }
    public var group: String { reader.subscription.group }
    /// The publisher that this end connected to, if it is there.
    public var peerToTell: [Peer] { binds ? [] : reader.livePublishers(now: SocketLoop.now()) }

    /// Binds `endpoint` and subscribes to whoever comes, or connects to it and subscribes there.
    public init(
        _ loop: SocketLoop, endpoint: String, binds: Bool, instance: String, subscription: Subscription,
        rejected: @escaping (WireError) -> Void
    ) throws(TransportError) {
        self.loop = loop
        self.instance = instance
        self.binds = binds
        self.rejected = rejected
        reader = Reader(subscription: subscription)
        let receive: (SocketLoop.Frames, Peer) -> Void = { [unowned self] frames, peer in received(frames, from: peer) }
        if binds {
            _ = try loop.bind(endpoint, maximumMessageBytes: SocketLoop.maximumEvidenceMessageBytes, receive: receive)
        } else {
            let peer = try loop.connect(endpoint, receive: receive)
            perform(reader.subscribe(to: peer, now: SocketLoop.now()))
        }
        loop.addTicker { [unowned self] now in tick(now) }
    }

    public func restore(_ log: LogID, next: UInt64) { reader.restore(log, next: next) }
    public func consumed(_ ticket: Ticket) { perform(reader.consumed(ticket)) }
    public func acknowledge(_ log: LogID, next: UInt64) { perform(reader.acknowledge(log, next: next)) }
    public func finish(session: String) { perform(reader.finish(session: session, now: SocketLoop.now())) }
    public func reopen(session: String) { reader.reopen(session: session) }

    private func received(_ frames: SocketLoop.Frames, from peer: Peer) {
        do throws(WireError) {
            let message = try WireMessage(frames: frames)
            if try aside(message, peer) { return }
            traffic.count(message)
            switch try FromPublisher(message) {
            case .log(let message):
                perform(reader.receive(message, from: peer, now: SocketLoop.now()))
            case .transient(let message):
                transient(message)
            case .progress(let sessions, let instance):
                perform(reader.receive(.heartbeat(instance: instance), from: peer, now: SocketLoop.now()))
                if !sessions.isEmpty { progressed(sessions) }
            }
        } catch {
            rejected(error)
        }
    }

    private func perform(_ actions: [Reader<Peer, WireMessage>.Action]) {
        for action in actions {
            switch action {
            case .deliver(let delivery): delivered(delivery)
            case .over(let session): over(session)
            case .send(let peer, let message):
                let wire = message.message(from: instance)
                loop.send([wire.envelopeBytes, wire.body], to: peer)
            }
        }
    }

    private func tick(_ now: Double) {
        if binds { for peer in reader.silentPublishers(now: now) { reader.remove(peer) } }
        perform(reader.tick(now: now))
    }
}
