import OrderedCollections

/// The receiving side of the log protocol, as a pure state machine: messages and the time in; deliveries and messages
/// to send out.
///
/// Every entry of every log is delivered once and in order, however often and by however many publishers it was sent.
/// What has been delivered counts against the credit until `consumed`; what must not come again after a crash is told by
/// `acknowledge`.
public struct Reader<Peer: Hashable & Sendable, Payload: LogPayload>: Sendable {
    public struct Delivery: Sendable {
        public enum Event: Sendable {
            /// The log begins at `first`. Above 0: what came before was acknowledged in an earlier life.
            case info(first: UInt64)
            case entry(sequence: UInt64, next: UInt64)
            case end(sequence: UInt64)
        }
        public let log: LogID
        public let event: Event
        public let payload: Payload
        public let ticket: Ticket

        /// What to acknowledge once this delivery is safe.
        public var next: UInt64 {
            switch event {
            case .info(let first): first
            case .entry(_, let next): next
            case .end(let sequence): sequence + 1
            }
        }
    }

    /// Proof of having taken a delivery off the wire; to be handed to `consumed` when it is processed.
    public struct Ticket: Sendable {
        let peer: Peer
        let epoch: Int
        public let bytes: Int
    }

    public enum Action: Sendable {
        case send(Peer, ReaderMessage)
        case deliver(Delivery)
        /// The publisher says that all of a session is done with: nothing of it will be delivered any more.
        case over(session: String)
    }

    /// Counters for those who watch.
    public struct Counters: Sendable, Equatable {
        public var delivered = 0
        public var duplicates = 0
        public var holes = 0
        /// Lives of a publisher that ended while this reader was connected to it.
        public var publisherRestarts = 0
        /// Messages of logs beyond the limits.
        public var refused = 0
    }

    /// What is remembered at once, so that no peer can fill the memory.
    public struct Limits: Sendable {
        public var publishers = 1_000
        public var sessions = 1_000
        public var logs = 200_000

        public init() {}
    }

    public let subscription: Subscription
    private let limits: Limits
    public private(set) var counters = Counters()
    private let heartbeatSeconds: Double
    private let livenessSeconds: Double
    private var publishers: [Peer: Source] = [:]
    private var positions = LogPlaces<Position>()
    /// Logs were refused for want of room, and should be asked for when there is some.
    private var hasRefused = false
    /// Sessions that are over: what comes of them, from a publisher that restarted, is acknowledged unread.
    private var over = RecentNames(limit: 10_000)

    public init(subscription: Subscription, heartbeatSeconds: Double = 0.5, livenessSeconds: Double = 3, limits: Limits = Limits()) {
        self.subscription = subscription
        self.limits = limits
        self.heartbeatSeconds = heartbeatSeconds
        self.livenessSeconds = livenessSeconds
    }

    private struct Source: Sendable {
        var instance: String?
        var epoch = 0
        /// Consumed but not yet given back: credit goes back in lumps.
        var owedBytes = 0
        var subscribedAt: Double
        var lastSent: Double
        var lastHeard: Double
    }

    private struct Position: Sendable {
        var delivered: UInt64
        var durable: UInt64
        var waitsForResend = false
    }

    /// What was acknowledged in an earlier life of this reader (from a journal): it will not be delivered again.
    public mutating func restore(_ log: LogID, next: UInt64) {
        positions[log] = Position(delivered: next, durable: next)
    }

    /// Subscribes to a publisher: at the start where the reader connects, on its first word where the reader binds.
    public mutating func subscribe(to peer: Peer, now: Double) -> [Action] {
        let epoch = (publishers[peer]?.epoch ?? 0) + 1
        publishers[peer] = Source(instance: publishers[peer]?.instance, epoch: epoch, subscribedAt: now, lastSent: now, lastHeard: now)
        positions.forEach { $0.waitsForResend = false }
        return [.send(peer, .subscribe(subscription))]
    }

    public mutating func receive(_ message: PublisherMessage<Payload>, from peer: Peer, now: Double) -> [Action] {
        var actions: [Action] = []
        if publishers[peer] == nil {
            guard publishers.count < limits.publishers else {
                counters.refused += 1
                return []
            }
            actions += subscribe(to: peer, now: now)
        }
        publishers[peer]?.lastHeard = now
        switch message {
        case .hello(let instance):
            // Greetings that crossed a subscription on the way are answered by it already.
            let isNew = publishers[peer]?.instance != instance
            if isNew, publishers[peer]?.instance != nil { counters.publisherRestarts += 1 }
            publishers[peer]?.instance = instance
            if actions.isEmpty, isNew || now - (publishers[peer]?.subscribedAt ?? now) > heartbeatSeconds {
                actions += subscribe(to: peer, now: now)
            }
        case .heartbeat(let instance):
            if let known = publishers[peer]?.instance, known != instance, actions.isEmpty {
                counters.publisherRestarts += 1
                actions += subscribe(to: peer, now: now)
            }
            publishers[peer]?.instance = instance
        case .over(let session):
            actions += finish(session: session, now: now) + [.over(session: session)]
        case .info(let log, _, let payload) where over.contains(log.session),
            .entry(let log, _, _, let payload) where over.contains(log.session),
            .end(let log, _, let payload) where over.contains(log.session):
            counters.duplicates += 1
            actions += skip(payload, peer) + [.send(peer, .acknowledge(log, next: .max, resend: false))]
        case .info(let log, let first, let payload):
            actions += began(log, first, payload, peer)
        case .entry(let log, let sequence, let next, let payload):
            actions += arrived(log, sequence, next, payload, .entry(sequence: sequence, next: next), peer)
        case .end(let log, let sequence, let payload):
            actions += arrived(log, sequence, sequence &+ 1, payload, .end(sequence: sequence), peer)
        }
        return actions
    }

    /// The delivery of this ticket has been processed: the publisher may send as much again.
    public mutating func consumed(_ ticket: Ticket) -> [Action] {
        guard publishers[ticket.peer]?.epoch == ticket.epoch else { return [] }
        publishers[ticket.peer]?.owedBytes += ticket.bytes
        let owed = publishers[ticket.peer]?.owedBytes ?? 0
        guard owed >= subscription.creditBytes / 4 else { return [] }
        publishers[ticket.peer]?.owedBytes = 0
        return [.send(ticket.peer, .credit(bytes: owed))]
    }

    /// Everything before `next` of the log is safe: no crash of this process can lose it any more.
    public mutating func acknowledge(_ log: LogID, next: UInt64) -> [Action] {
        guard let known = positions[log], next > known.durable else { return [] }
        positions[log]?.durable = next
        return publishers.keys.map { .send($0, .acknowledge(log, next: next, resend: false)) }
    }

    /// Heartbeats that are due; owed credit of a quiet line; a publisher that went silent is asked again.
    public mutating func tick(now: Double) -> [Action] {
        var actions: [Action] = []
        for (peer, source) in publishers where now - source.lastSent >= heartbeatSeconds {
            publishers[peer]?.lastSent = now
            if source.owedBytes > 0 {
                publishers[peer]?.owedBytes = 0
                actions.append(.send(peer, .credit(bytes: source.owedBytes)))
            }
            actions.append(.send(peer, .heartbeat))
        }
        return actions
    }

    /// Publishers that have been heard of within the liveness time.
    public func livePublishers(now: Double) -> [Peer] {
        publishers.filter { $0.value.instance != nil && now - $0.value.lastHeard <= livenessSeconds }.map(\.key)
    }

    /// Publishers that have been silent longer than the liveness time.
    public func silentPublishers(now: Double) -> [Peer] {
        publishers.filter { now - $0.value.lastHeard > livenessSeconds }.map(\.key)
    }

    /// Forgets a publisher that will not come back (a binding reader's peers change their identity with each life).
    public mutating func remove(_ peer: Peer) { publishers[peer] = nil }

    /// All of a session has been read. Of its places only this is remembered.
    public mutating func finish(session: String, now: Double) -> [Action] {
        positions.remove(session: session)
        over.insert(session)
        guard hasRefused, !isFull else { return [] }
        hasRefused = false
        return publishers.keys.flatMap { subscribe(to: $0, now: now) }
    }

    public var rememberedLogCount: Int { positions.logCount }
    public var publisherCount: Int { publishers.count }

    private var isFull: Bool { positions.logCount >= limits.logs || positions.sessionCount >= limits.sessions }

    /// Forgets that a session is over: if it comes again, it is read again.
    public mutating func reopen(session: String) { over.remove(session) }

    // MARK: -

    private mutating func began(_ log: LogID, _ first: UInt64, _ payload: Payload, _ peer: Peer) -> [Action] {
        guard let known = positions[log], known.delivered >= first else {
            if positions[log] == nil, !hasRoom(for: log) { return refuse(payload, peer) }
            positions[log] = Position(delivered: first, durable: first)
            return deliver(log, .info(first: first), payload, peer)
        }
        positions[log]?.waitsForResend = false
        // The publisher may have restarted: tell it how far we are, so that it need not send that again.
        return skip(payload, peer) + (known.durable > first ? [.send(peer, .acknowledge(log, next: known.durable, resend: false))] : [])
    }

    private mutating func arrived(
        _ log: LogID, _ sequence: UInt64, _ next: UInt64, _ payload: Payload, _ event: Delivery.Event, _ peer: Peer
    ) -> [Action] {
        guard next > sequence, let known = positions[log], sequence <= known.delivered else { return hole(log, payload, peer) }
        guard next > known.delivered else {
            counters.duplicates += 1
            return skip(payload, peer)
        }
        positions[log]?.delivered = next
        positions[log]?.waitsForResend = false
        return deliver(log, event, payload, peer)
    }

    private func hasRoom(for log: LogID) -> Bool {
        positions.logCount < limits.logs && (positions.sessionCount < limits.sessions || positions.contains(session: log.session))
    }

    private mutating func refuse(_ payload: Payload, _ peer: Peer) -> [Action] {
        hasRefused = true
        counters.refused += 1
        return skip(payload, peer)
    }

    private mutating func hole(_ log: LogID, _ payload: Payload, _ peer: Peer) -> [Action] {
        counters.holes += 1
        guard let known = positions[log] else {
            // Asked for again it would come again, to be refused again.
            guard hasRoom(for: log) else { return refuse(payload, peer) }
            return skip(payload, peer) + [.send(peer, .acknowledge(log, next: 0, resend: true))]
        }
        guard !known.waitsForResend else { return skip(payload, peer) }
        positions[log]?.waitsForResend = true
        return skip(payload, peer) + [.send(peer, .acknowledge(log, next: known.durable, resend: true))]
    }

    private mutating func deliver(_ log: LogID, _ event: Delivery.Event, _ payload: Payload, _ peer: Peer) -> [Action] {
        counters.delivered += 1
        return [.deliver(Delivery(log: log, event: event, payload: payload, ticket: ticket(payload, peer)))]
    }

    /// Not delivered: its credit goes straight back.
    private mutating func skip(_ payload: Payload, _ peer: Peer) -> [Action] { consumed(ticket(payload, peer)) }

    private func ticket(_ payload: Payload, _ peer: Peer) -> Ticket {
        Ticket(peer: peer, epoch: publishers[peer]?.epoch ?? 0, bytes: payload.byteCount)
    }
}

/// Something of each log, by session.
struct LogPlaces<Place: Sendable>: Sendable {
    private var sessions: [String: [LogID: Place]] = [:]
    private(set) var logCount = 0
    var sessionCount: Int { sessions.count }

    func contains(session: String) -> Bool { sessions[session] != nil }

    subscript(log: LogID) -> Place? {
        get { sessions[log.session]?[log] }
        set {
            let before = sessions[log.session]?[log] != nil
            sessions[log.session, default: [:]][log] = newValue
            logCount += (newValue != nil ? 1 : 0) - (before ? 1 : 0)
        }
    }

    mutating func remove(session: String) { logCount -= sessions.removeValue(forKey: session)?.count ?? 0 }

    mutating func forEach(_ body: (inout Place) -> Void) {
        for (session, logs) in sessions {
            for (log, var place) in logs {
                body(&place)
                sessions[session]?[log] = place
            }
        }
    }
}

/// The names that were inserted last.
struct RecentNames: Sendable {
    let limit: Int
    private var names: OrderedSet<String> = []

    init(limit: Int) { self.limit = limit }

    func contains(_ name: String) -> Bool { names.contains(name) }

    mutating func remove(_ name: String) { names.remove(name) }

    mutating func insert(_ name: String) {
        names.append(name)
        // In lumps: removing the first one moves all others.
        if names.count > limit + limit / 8 { names.removeFirst(names.count - limit) }
    }
}
