import Foundation
import Fusion
import Logging
import NodeKit
import StreamLog
import Wire
import ZeroMQTransport

/// The fusion node: collects evidence of all sessions, journals it, and publishes their timelines.
public final class FusionService: @unchecked Sendable {
    public struct Settings: Sendable {
        public var evidenceEndpoint: String
        public var timelineEndpoint: String
        /// `nil`: in memory only.
        public var journalPath: String?
        public var fusion = FusionSettings()
        /// Evidence that may be on its way from each node, in bytes.
        public var creditBytes = 4 << 20
        /// How often open windows are shown, in seconds of the wall clock.
        public var provisionalSeconds = 0.25
        /// Live: a lane of which nothing has been heard for so long is marked missing, in seconds of the wall clock.
        public var idleSeconds = 5.0
        /// Live: a session of which nothing at all has been heard for so long is ended.
        public var abandonSeconds = 300.0
        /// How long a finished session is kept, in days.
        public var keepDays = 30
        /// How much of finished timelines is kept, in the journal and in memory, in bytes.
        public var keepBytes = 100 << 20

        public init(evidenceEndpoint: String, timelineEndpoint: String, journalPath: String?) {
            self.evidenceEndpoint = evidenceEndpoint
            self.timelineEndpoint = timelineEndpoint
            self.journalPath = journalPath
        }
    }

    private enum Work: Sendable {
        case delivery(ReadingEnd.Delivery)
        case showOpenWindows
        case lookForSilence
        case moved(GroupPlace)
        case rewound(group: String)
        case expire
        case report
    }

    /// How often what is too old is looked for, in seconds of the wall clock.
    private static let expirySeconds = 60.0

    private let settings: Settings
    private let instance: String
    private let logger: Logger
    private let rejections: Rejections
    private let clock: WallClock
    private let journal: EvidenceJournal
    private let inbox = Mailbox<Work>()
    private let loop: SocketLoop
    // On the loop's thread:
    private let evidence: ReadingEnd
    private let timeline: PublishingEnd
    private var progress: [String: Adreact_V1_SessionProgress] = [:]
    private var nextProvisional = 0.0
    private var nextExpiry = 0.0
    private var nextLook = 0.0
    /// Whether the worker has been asked for open windows, and has not got round to it: it may be waiting for a disk.
    private var provisionalIsDue = false
    private var nextReport = 0.0
    private var reportIsDue = false
    private let status: StatusBoard
    private var latestReport = StatusBoard.Report()
    // On the worker's thread:
    private var sessions: [String: SessionFusion] = [:]
    private var timelines: [String: [WireMessage]] = [:]
    private var overSessions: Set<String> = []
    private var retention: Retention
    private var figures = FusionFigures()

    /// - Throws: `TransportError` or `SessionFailure` where an endpoint or the journal cannot be opened.
    public init(_ settings: Settings, instance: String, logger: Logger, clock: WallClock = .system) throws {
        self.settings = settings
        self.instance = instance
        self.logger = logger
        self.clock = clock
        rejections = Rejections(logger)
        journal = try EvidenceJournal(path: settings.journalPath)
        retention = Retention(.init(keepDays: settings.keepDays, keepBytes: settings.keepBytes), finished: try journal.finished())
        loop = try SocketLoop()
        let rejected = rejections.report
        timeline = try PublishingEnd(
            loop, endpoint: settings.timelineEndpoint, binds: true, instance: instance, settings: .init(), rejected: rejected)
        evidence = try ReadingEnd(
            loop, endpoint: settings.evidenceEndpoint, binds: true, instance: instance,
            subscription: Subscription(
                group: "fusion-node", member: "fusion-node", sharing: .everything, tracks: Set(Lane.allCases.map(\.rawValue)),
                creditBytes: settings.creditBytes),
            rejected: rejected)
        status = StatusBoard(loop, node: "fusion-node", instance: instance, clock: clock, rejections: rejections)
        status.attach(evidence, endpoint: "evidence")
        status.attach(timeline, endpoint: "timeline")
        status.report = { [unowned self] in latestReport }
        evidence.delivered = { [inbox] in inbox.put(.delivery($0)) }
        timeline.progress = { [unowned self] in Array(progress.values) }
        timeline.moved = { [inbox] in inbox.put(.moved($0)) }
        timeline.rewound = { [inbox] in inbox.put(.rewound(group: $0)) }
        loop.addTicker { [unowned self] now in
            if now >= nextExpiry {
                nextExpiry = now + Self.expirySeconds
                inbox.put(.expire)
            }
            if now >= nextLook {
                nextLook = now + 1
                inbox.put(.lookForSilence)
            }
            if now >= nextReport, !reportIsDue {
                nextReport = now + 1
                reportIsDue = true
                inbox.put(.report)
            }
            guard now >= nextProvisional, !provisionalIsDue, timeline.hasTransientReaders else { return }
            nextProvisional = now + settings.provisionalSeconds
            provisionalIsDue = true
            inbox.put(.showOpenWindows)
        }
        try recover()
    }

    public func start() {
        loop.start()
        let thread = Thread { [self] in
            while let work = inbox.takeAll() { process(work) }
        }
        thread.name = "work"
        thread.stackSize = 8 << 20
        thread.start()
    }

    public func stop() {
        inbox.close()
        loop.stop()
    }

    // MARK: Worker's thread

    /// Takes up where an earlier life left off. Before `start`, so no thread is in the way.
    private func recover() throws {
        let expired = retention.expire(unixSeconds: clock.unixNanoseconds / 1_000_000_000)
        try journal.expire(dropped: expired.dropped, forgotten: expired.forgotten)
        for (log, next) in try journal.positions() { evidence.restore(log, next: next) }
        try journal.dropStrayPlaces()
        timeline.restore(try journal.places())
        overSessions = Set(try journal.finished().map(\.session))
        for session in overSessions { evidence.finish(session: session) }
        try journal.forEachTimelineMessage { publish($0) }
        // When their windows were first published is not known any more.
        try journal.forEachEvidence { apply($0, publishUnixNanoseconds: 0) }
        if !sessions.isEmpty { logger.notice("resumed \(sessions.count) open sessions from the journal") }
    }

    private func process(_ work: [Work]) {
        let deliveries = work.compactMap { if case .delivery(let delivery) = $0 { delivery } else { nil } }
        if !deliveries.isEmpty {
            store(deliveries.filter { !overSessions.contains($0.log.session) })
            let now = SocketLoop.now()
            for delivery in deliveries {
                apply(delivery.payload, publishUnixNanoseconds: clock.unixNanoseconds)
                sessions[delivery.log.session]?.hear(delivery.payload, now: now)
            }
            let finished = timelines.keys.filter { sessions[$0]?.isOver == true }
            for session in finished { finish(session) }
            let latest = sessions.mapValues(\.progress)
            loop.post { [self] in
                for delivery in deliveries {
                    evidence.acknowledge(delivery.log, next: delivery.next)
                    evidence.consumed(delivery.ticket)
                }
                for session in finished { evidence.finish(session: session) }
                progress = latest
            }
        }
        storePlaces(work)
        for case .expire in work { expire() }
        if work.contains(where: { if case .lookForSilence = $0 { true } else { false } }) { giveUpSilentLanes() }
        for case .showOpenWindows in work { showOpenWindows() }
        for case .report in work { report() }
    }

    /// Until it is stored, nothing is acknowledged: with a full disk the pipeline waits, and loses nothing.
    private func store(_ deliveries: [ReadingEnd.Delivery]) {
        guard !deliveries.isEmpty else { return }
        untilWritten { try journal.store(deliveries.map { ($0.payload, $0.next) }) }
    }

    /// A live session goes on without a lane that has fallen silent.
    private func giveUpSilentLanes() {
        let now = SocketLoop.now()
        for name in sessions.keys {
            let losses = sessions[name]?.silentLanes(now: now, idleSeconds: settings.idleSeconds, abandonSeconds: settings.abandonSeconds) ?? []
            guard !losses.isEmpty else { continue }
            untilWritten { try journal.store(losses.map { ($0, 1) }) }
            for loss in losses { apply(loss, publishUnixNanoseconds: clock.unixNanoseconds) }
            if sessions[name]?.isOver == true {
                finish(name)
                loop.post { [self] in evidence.finish(session: name) }
            }
        }
    }

    /// Tries again until the journal takes it; says so once, and when it is over.
    private func untilWritten(_ write: () throws -> Void) {
        var waits = false
        while true {
            do {
                try write()
                if waits { logger.notice("the journal can be written again: sessions go on") }
                return
            } catch {
                if !waits {
                    let reason = EvidenceJournal.explain(error)
                    logger.critical("the journal \(settings.journalPath ?? "in memory") cannot be written; all sessions wait until it can: \(reason)")
                }
                waits = true
                Thread.sleep(forTimeInterval: 1)
            }
        }
    }

    /// How far named groups of readers have come, for another life of this process. A place that is lost is read again.
    private func storePlaces(_ work: [Work]) {
        var places: [LogID: [String: UInt64]] = [:]
        var rewound: Set<String> = []
        for item in work {
            switch item {
            case .moved(let place): places[place.log, default: [:]][place.group] = place.next
            case .rewound(let group):
                rewound.insert(group)
                for log in places.keys { places[log]?[group] = nil }
            default: break
            }
        }
        guard !places.isEmpty || !rewound.isEmpty else { return }
        let all = places.flatMap { log, groups in groups.map { GroupPlace(group: $0.key, log: log, next: $0.value) } }
        untilWritten { try journal.store(places: all, rewound: rewound) }
    }

    /// Lets go of finished sessions that are too old or too much.
    private func expire() {
        let expired = retention.expire(unixSeconds: clock.unixNanoseconds / 1_000_000_000)
        guard expired != Retention.Expired() else { return }
        untilWritten { try journal.expire(dropped: expired.dropped, forgotten: expired.forgotten) }
        overSessions.subtract(expired.forgotten)
        loop.post { [self] in
            for session in expired.dropped + expired.forgotten { timeline.forget(session: session) }
            for session in expired.forgotten { evidence.reopen(session: session) }
        }
        logger.info("let go of \(expired.dropped.count) timelines for space, of \(expired.forgotten.count) sessions for age")
    }

    private func apply(_ message: WireMessage, publishUnixNanoseconds: Int64) {
        let name = message.envelope.session
        guard !overSessions.contains(name) else { return }
        var session = sessions[name] ?? SessionFusion(name: name, instance: instance, settings: settings.fusion)
        sessions[name] = nil
        do {
            for message in try session.receive(message) {
                let message = message.published(at: publishUnixNanoseconds)
                if publishUnixNanoseconds > 0 { figures.note(message) }
                timelines[name, default: []].append(message)
                publish(message)
            }
        } catch {
            figures.ignoredCount += 1
            rejections.report(.malformed("session \(name), evidence: \(error)"))
        }
        sessions[name] = session
    }

    private func finish(_ name: String) {
        let messages = timelines[name] ?? []
        let now = clock.unixNanoseconds / 1_000_000_000
        untilWritten { try journal.finish(session: name, timeline: messages, unixSeconds: now) }
        figures.finish(name, sessions[name])
        sessions[name] = nil
        timelines[name] = nil
        overSessions.insert(name)
        retention.add(.init(session: name, unixSeconds: now, byteCount: messages.reduce(0) { $0 + $1.byteCount }))
        logger.info("session \(name) is over")
        expire()
    }

    private func showOpenWindows() {
        for name in sessions.keys {
            let windows = (sessions[name]?.provisional() ?? []).map { $0.published(at: clock.unixNanoseconds) }
            for window in windows { figures.note(window) }
            loop.post { [self] in for window in windows { timeline.sendTransient(window) } }
        }
        loop.post { [self] in provisionalIsDue = false }
    }

    private func report() {
        let report = figures.report(Array(sessions.values))
        loop.post { [self] in
            latestReport = report
            reportIsDue = false
        }
    }

    private func publish(_ message: WireMessage) {
        let log = message.envelope.log
        loop.post { [self] in
            switch message.envelope.kind {
            case .info: timeline.open(log, info: message)
            case .end: timeline.close(log, end: message)
            default: timeline.append(log, sequence: message.envelope.sequence, message)
            }
        }
    }
}

extension WireMessage {
    /// As it is published: 0 where it is not known when that was.
    fileprivate func published(at unixNanoseconds: Int64) -> WireMessage {
        var envelope = envelope
        envelope.publishUnixNanoseconds = unixNanoseconds
        return WireMessage(envelope, body: body)
    }
}
