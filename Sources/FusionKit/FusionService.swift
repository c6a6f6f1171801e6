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

        public init(evidenceEndpoint: String, timelineEndpoint: String, journalPath: String?) {
            self.evidenceEndpoint = evidenceEndpoint
            self.timelineEndpoint = timelineEndpoint
            self.journalPath = journalPath
        }
    }

    private enum Work: Sendable {
        case delivery(ReadingEnd.Delivery)
        case showOpenWindows
    }

    private let settings: Settings
    private let instance: String
    private let logger: Logger
    private let journal: EvidenceJournal
    private let inbox = Mailbox<Work>()
    private let loop: SocketLoop
    // On the loop's thread:
    private let evidence: ReadingEnd
    private let timeline: PublishingEnd
    private var progress: [String: Adreact_V1_SessionProgress] = [:]
    private var nextProvisional = 0.0
    // On the worker's thread:
    private var sessions: [String: SessionFusion] = [:]
    private var timelines: [String: [WireMessage]] = [:]
    private var overSessions: Set<String> = []

    /// - Throws: `TransportError` or `SessionFailure` where an endpoint or the journal cannot be opened.
    public init(_ settings: Settings, instance: String, logger: Logger) throws {
        self.settings = settings
        self.instance = instance
        self.logger = logger
        journal = try EvidenceJournal(path: settings.journalPath)
        loop = try SocketLoop()
        let rejected = Rejections(logger).report
        timeline = try PublishingEnd(
            loop, endpoint: settings.timelineEndpoint, binds: true, instance: instance, settings: .init(), rejected: rejected)
        evidence = try ReadingEnd(
            loop, endpoint: settings.evidenceEndpoint, binds: true, instance: instance,
            subscription: Subscription(
                group: "fusion-node", member: "fusion-node", sharing: .everything, tracks: Set(Lane.allCases.map(\.rawValue)),
                creditBytes: settings.creditBytes),
            rejected: rejected)
        evidence.delivered = { [inbox] in inbox.put(.delivery($0)) }
        timeline.progress = { [unowned self] in Array(progress.values) }
        loop.addTicker { [unowned self] now in
            guard now >= nextProvisional, timeline.hasTransientReaders else { return }
            nextProvisional = now + settings.provisionalSeconds
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
        for (log, next) in try journal.positions() { evidence.restore(log, next: next) }
        try journal.forEachTimelineMessage { message in
            if overSessions.insert(message.envelope.session).inserted { evidence.finish(session: message.envelope.session) }
            publish(message)
        }
        try journal.forEachEvidence { apply($0) }
        if !sessions.isEmpty { logger.notice("resumed \(sessions.count) open sessions from the journal") }
    }

    private func process(_ work: [Work]) {
        let deliveries = work.compactMap { if case .delivery(let delivery) = $0 { delivery } else { nil } }
        let showsOpenWindows = work.count > deliveries.count
        if !deliveries.isEmpty {
            store(deliveries)
            for delivery in deliveries { apply(delivery.payload) }
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
        if showsOpenWindows { showOpenWindows() }
    }

    /// Until it is stored, nothing is acknowledged: with a full disk the pipeline waits, and loses nothing.
    private func store(_ deliveries: [ReadingEnd.Delivery]) {
        while true {
            do {
                return try journal.store(deliveries.map { ($0.payload, $0.next) })
            } catch {
                logger.critical("the journal cannot be written, all sessions wait: \(error)")
                Thread.sleep(forTimeInterval: 1)
            }
        }
    }

    private func apply(_ message: WireMessage) {
        let name = message.envelope.session
        guard !overSessions.contains(name) else { return }
        var session = sessions[name] ?? SessionFusion(name: name, instance: instance, settings: settings.fusion)
        sessions[name] = nil
        do {
            for message in try session.receive(message) {
                timelines[name, default: []].append(message)
                publish(message)
            }
        } catch {
            logger.warning("session \(name): ignored a piece of evidence: \(error)")
        }
        sessions[name] = session
    }

    private func finish(_ name: String) {
        do {
            try journal.finish(session: name, timeline: timelines[name] ?? [])
        } catch {
            // Its evidence is still there: after a restart the timeline is made again.
            logger.error("session \(name): the finished timeline is not in the journal: \(error)")
        }
        sessions[name] = nil
        timelines[name] = nil
        overSessions.insert(name)
        logger.info("session \(name) is over")
    }

    private func showOpenWindows() {
        for name in sessions.keys {
            let windows = sessions[name]?.provisional() ?? []
            loop.post { [self] in for window in windows { timeline.sendTransient(window) } }
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
