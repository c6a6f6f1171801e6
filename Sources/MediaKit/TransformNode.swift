import Foundation
import Logging
import Media
import NodeKit
import StreamLog
import SwiftProtobuf
import Synchronization
import Wire
import ZeroMQTransport

/// A node between the demuxer and fusion: media logs in, evidence logs out.
///
/// One thread owns the sockets and the protocol; another one does the work. A media segment is acknowledged to the
/// demuxer only when fusion has acknowledged all evidence that needed it, so a node may be killed at any moment.
public final class TransformNode: @unchecked Sendable {
    public struct Settings: Sendable {
        public var name: String
        public var mediaTrack: TrackKind
        public var evidenceTrack: String
        public var sharing: Sharing
        public var mediaEndpoint: String
        public var evidenceEndpoint: String
        /// Media that may be on its way to this node, in bytes.
        public var creditBytes = 8 << 20
        /// Evidence that may wait for fusion, in bytes.
        public var evidenceBudgetBytes = 16 << 20

        public init(
            name: String, mediaTrack: TrackKind, evidenceTrack: String, sharing: Sharing, mediaEndpoint: String,
            evidenceEndpoint: String
        ) {
            self.name = name
            self.mediaTrack = mediaTrack
            self.evidenceTrack = evidenceTrack
            self.sharing = sharing
            self.mediaEndpoint = mediaEndpoint
            self.evidenceEndpoint = evidenceEndpoint
        }
    }

    private let settings: Settings
    private let instance: String
    private let logger: Logger
    private let clock: WallClock
    private let makeProducer: (_ session: Adreact_V1_Session) throws -> any EvidenceProducer
    private let inbox = Mailbox<Work>()
    private let budget: ByteBudget
    private let notes: CrashNotes
    private let loop: SocketLoop
    private let stopping = Atomic<Bool>(false)
    private let finished = DispatchSemaphore(value: 0)
    // On the loop's thread:
    private let media: ReadingEnd
    private let evidence: PublishingEnd
    private let status: StatusBoard
    private var reaches: [String: SessionReach] = [:]
    private var failedCount = 0
    private var promises: [Promise] = []
    // On the worker's thread:
    private var sessions: [String: SessionWork] = [:]
    /// What was worked on last, if its producer may still hold back some of it.
    private var unsettled: ReadingEnd.Delivery?

    private enum Work: Sendable {
        case delivery(ReadingEnd.Delivery)
        /// All of a session is done with, here and everywhere.
        case forget(session: String)
    }

    /// A media log that may be acknowledged up to `next` as soon as the evidence is safe.
    private struct Promise: Sendable {
        let media: LogID
        let next: UInt64
        let evidence: [LogID: UInt64]
    }

    private struct SessionWork {
        /// `nil` once the session is over, or could not be begun.
        var producer: (any EvidenceProducer)?
        var session: Adreact_V1_Session
        /// What stopped this node's work on the session.
        var failure: SessionFailure?
        /// What was wrong with the input, as the demuxer or the decoder says.
        var inputFailure: SessionFailure?
        /// Of the segment that is being read.
        var segmentStartNanoseconds: Int64 = 0
        /// Longer than any evidence reaches back.
        var captures = CaptureTimes(limit: 2048)
        /// Evidence made since the last promise: how far each log has come.
        var written: [LogID: UInt64] = [:]
        var openLogs: [LogID: UInt64] = [:]
        /// Media logs read to the end, but still needed.
        var finishedMedia: [LogID: UInt64] = [:]
    }

    public init(
        _ settings: Settings, instance: String, runDirectory: String, logger: Logger, clock: WallClock = .system,
        makeProducer: @escaping (_ session: Adreact_V1_Session) throws -> any EvidenceProducer
    ) throws {
        notes = try CrashNotes(folder: runDirectory, node: settings.name, instance: instance)
        self.settings = settings
        self.instance = instance
        self.logger = logger
        self.clock = clock
        self.makeProducer = makeProducer
        budget = ByteBudget(capacity: settings.evidenceBudgetBytes)
        loop = try SocketLoop()
        let rejections = Rejections(logger)
        let rejected = rejections.report
        media = try ReadingEnd(
            loop, endpoint: settings.mediaEndpoint, binds: false, instance: instance,
            subscription: Subscription(
                group: settings.name, member: instance, sharing: settings.sharing, tracks: [settings.mediaTrack.rawValue],
                creditBytes: settings.creditBytes),
            rejected: rejected)
        evidence = try PublishingEnd(
            loop, endpoint: settings.evidenceEndpoint, binds: false, instance: instance,
            settings: .init(requiredGroups: [settings.evidenceTrack: ["fusion-node"]]), rejected: rejected)
        status = StatusBoard(loop, node: settings.name, instance: instance, clock: clock, rejections: rejections)
        status.attach(media, endpoint: "media")
        status.attach(evidence, endpoint: "evidence")
        status.report = { [unowned self] in report() }
        media.delivered = { [unowned self] delivery in
            reaches[delivery.log.session, default: SessionReach()].receive(delivery.payload)
            inbox.put(.delivery(delivery))
        }
        media.over = { [inbox] in inbox.put(.forget(session: $0)) }
        evidence.released = { [budget] _, bytes in budget.giveBack(bytes) }
        evidence.acknowledged = { [unowned self] in keepPromises() }
    }

    /// The whole life of a node: runs until it is told to stop.
    public static func serve(
        _ settings: Settings, _ options: NodeOptions,
        makeProducer: @escaping (_ session: Adreact_V1_Session) throws -> any EvidenceProducer
    ) async throws {
        let node = try NodeProcess.opening {
            try TransformNode(
                settings, instance: NodeOptions.instance(settings.name), runDirectory: options.runDirectory, logger: options.logger(settings.name),
                makeProducer: makeProducer)
        }
        node.start()
        try await NodeProcess.runUntilStopped(stop: node.stop)
    }

    public func start() {
        loop.start()
        let thread = Thread { [self] in
            while let all = inbox.takeAll() {
                for work in all where !stopping.load(ordering: .relaxed) {
                    switch work {
                    case .delivery(let delivery): self.work(on: delivery)
                    case .forget(let session): forget(session)
                    }
                }
                if !stopping.load(ordering: .relaxed) { settle() }
            }
            sessions = [:]  // waits for what producers do in the background
            finished.signal()
        }
        thread.name = "work"
        thread.stackSize = 8 << 20
        thread.start()
    }

    /// Stops at once: what was not acknowledged will be done by whoever comes next.
    public func stop() {
        stopping.store(true, ordering: .relaxed)
        inbox.close()
        budget.close()
        // A network must not be torn down while it runs.
        finished.wait()
        loop.stop()
    }

    // MARK: Worker's thread

    private func work(on delivery: ReadingEnd.Delivery) {
        // One session at a time, so that a crash is put down to the one that caused it.
        if let unsettled, unsettled.log.session != delivery.log.session { settle() }
        unsettled = delivery
        attempt(delivery) {
            try refusePoison(delivery)
            notes.working(on: delivery.log, sequence: delivery.next)
            try produce(from: delivery)
        }
        if case .end(let sequence) = delivery.event { finished(delivery.log, next: sequence + 1, delivery) }
        let ticket = delivery.ticket
        loop.post { [self] in media.consumed(ticket) }
    }

    private func settle() {
        defer { notes.rest() }
        guard let delivery = unsettled else { return }
        unsettled = nil
        attempt(delivery) { try publish(delivery.log.session) { try $0.settle() } }
    }

    /// What goes wrong ends the session, not the node.
    private func attempt(_ delivery: ReadingEnd.Delivery, _ work: () throws -> Void) {
        let name = delivery.log.session
        do {
            try work()
        } catch {
            let failure = error as? SessionFailure ?? SessionFailure(exitCode: ExitStatus.badInput, "\(sessions[name]?.session.sourceName ?? name): \(error)")
            fail(name, failure, delivery.log)
            if case .end = delivery.event, settings.sharing == .segments { try? giveUp(delivery) }
        }
    }

    /// What has crashed this node again and again is not tried once more: this session is given up, and the others go on.
    private func refusePoison(_ delivery: ReadingEnd.Delivery) throws {
        guard case .info = delivery.event else { return }
        let crashes = notes.crashes(at: delivery.log.session)
        guard crashes.count >= CrashNotes.mostCrashes, let last = crashes.last else { return }
        let source = (try? delivery.payload.decode(Adreact_V1_Info.self).session.sourceName) ?? delivery.log.session
        throw SessionFailure(
            exitCode: ExitStatus.internalError,
            "\(source): \(settings.name) crashed \(crashes.count) times, the last time at packet \(last.sequence) of \(last.log.track) segment \(last.log.segment); given up. Please report it with this recording")
    }

    private func produce(from delivery: ReadingEnd.Delivery) throws {
        let log = delivery.log
        switch delivery.event {
        case .info:
            let info = try delivery.payload.decode(Adreact_V1_Info.self)
            if sessions[log.session] == nil {
                sessions[log.session] = SessionWork(producer: nil, session: info.session)
                sessions[log.session] = SessionWork(producer: try makeProducer(info.session), session: info.session)
                logger.info("session \(log.session): \(info.session.sourceName)")
            }
            let track = info.hasParameters ? try info.parameters.parameters() : nil
            // Producers make something for every second of a stretch, so that all times must be a session's.
            try SessionTimes.check(0, max(0, delivery.payload.envelope.mediaStartNanoseconds))
            let start = SegmentStart(index: log.segment, startNanoseconds: delivery.payload.envelope.mediaStartNanoseconds, track: track)
            sessions[log.session]?.segmentStartNanoseconds = start.startNanoseconds
            try publish(log.session) { try $0.begin(start) }
        case .entry where delivery.payload.envelope.kind == .gap:
            let gap = try delivery.payload.decode(Adreact_V1_Gap.self)
            try SessionTimes.check(gap.fromNanoseconds, gap.toNanoseconds)
            try publish(log.session) {
                try $0.skip(MediaGap(startNanoseconds: gap.fromNanoseconds, endNanoseconds: gap.toNanoseconds, reason: gap.reason))
            }
        case .entry:
            let packet = EncodedPacket(delivery.payload, track: settings.mediaTrack)
            // The first packets may be shown before 0.
            try SessionTimes.check(0, max(0, packet.ptsNanoseconds))
            sessions[log.session]?.captures.note(delivery.payload.envelope.captureUnixNanoseconds, at: packet.ptsNanoseconds)
            try publish(log.session) { try $0.consume(packet) }
        case .end where sessions[log.session]?.failure != nil && settings.sharing == .segments:
            try giveUp(delivery)
        case .end:
            let end = try delivery.payload.decode(Adreact_V1_End.self)
            try SessionTimes.check(0, end.endNanoseconds)
            // What went wrong with the input is passed on at the end of what could be read of it.
            if end.hasFailure { sessions[log.session]?.inputFailure = SessionFailure(end.failure) }
            let segment = SegmentEnd(index: log.segment, endNanoseconds: end.endNanoseconds, isLast: end.last)
            try publish(log.session) { producer in
                let items = try producer.end(segment)
                if end.last, let problem = producer.tally.problem(of: settings.mediaTrack), let work = sessions[log.session], work.inputFailure == nil {
                    sessions[log.session]?.inputFailure = SessionFailure(
                        exitCode: ExitStatus.badInput, "\(work.session.sourceName): \(problem)")
                }
                return items
            }
        }
    }

    private func publish(_ session: String, _ make: (any EvidenceProducer) throws -> [EvidenceItem]) throws {
        guard let work = sessions[session], work.failure == nil, let producer = work.producer else { return }
        for item in try make(producer) { publish(item, session) }
    }

    private func publish(_ item: EvidenceItem, _ session: String) {
        guard let info = sessions[session]?.session else { return }
        switch item {
        case .open(let segment, let first, let start, let present):
            let log = LogID(session: session, track: settings.evidenceTrack, segment: segment)
            var envelope = Envelope(.info, log, sequence: first)
            envelope.mediaStartNanoseconds = start
            let body = Adreact_V1_Info.with {
                $0.session = info
                if present { $0.parameters.kind = settings.evidenceTrack }
            }
            let message = stamp(envelope, body: body)
            sessions[session]?.openLogs[log] = first
            loop.post { [self] in evidence.open(log, first: first, info: message) }
        case .entry(let segment, let sequence, let start, let duration, let body):
            let log = LogID(session: session, track: settings.evidenceTrack, segment: segment)
            var envelope = Envelope(.data, log, sequence: sequence)
            envelope.mediaStartNanoseconds = start
            envelope.mediaDurationNanoseconds = duration
            let message = stamp(envelope, body: body)
            let examined = Self.end(of: body, envelope)
            sessions[session]?.written[log] = sequence + 1
            sessions[session]?.openLogs[log] = sequence + 1
            guard budget.take(message.byteCount) else { return }
            loop.post { [self] in
                reaches[session]?.examine(to: examined)
                evidence.append(log, sequence: sequence, message)
            }
        case .gap(let segment, let sequence, let next, let gap):
            let log = LogID(session: session, track: settings.evidenceTrack, segment: segment)
            let message = stamp(Envelope(.gap, log, sequence: sequence), body: Adreact_V1_Gap.with {
                $0.fromNanoseconds = gap.startNanoseconds
                $0.toNanoseconds = gap.endNanoseconds
                $0.reason = gap.reason
                $0.nextSequence = next
            })
            sessions[session]?.written[log] = next
            sessions[session]?.openLogs[log] = next
            guard budget.take(message.byteCount) else { return }
            loop.post { [self] in evidence.append(log, sequence: sequence, next: next, message) }
        case .end(let segment, let sequence, let end, let isLast):
            close(LogID(session: session, track: settings.evidenceTrack, segment: segment), sequence, end, isLast, isLast ? sessions[session]?.inputFailure : nil)
        }
    }

    private func close(_ log: LogID, _ sequence: UInt64, _ endNanoseconds: Int64, _ isLast: Bool, _ failure: SessionFailure?) {
        let body = Adreact_V1_End.with {
            $0.endNanoseconds = endNanoseconds
            $0.last = isLast
            if let failure { $0.failure = failure.wire }
        }
        let message = stamp(Envelope(.end, log, sequence: sequence), body: body)
        sessions[log.session]?.written[log] = sequence + 1
        sessions[log.session]?.openLogs[log] = nil
        loop.post { [self] in
            reaches[log.session]?.examine(to: endNanoseconds)
            evidence.close(log, end: message)
        }
    }

    private func stamp(_ envelope: Envelope, body: any SwiftProtobuf.Message) -> WireMessage {
        var envelope = envelope
        envelope.sourceInstance = instance
        envelope.captureUnixNanoseconds = sessions[envelope.session]?.captures.capture(at: Self.end(of: body, envelope)) ?? 0
        envelope.publishUnixNanoseconds = clock.unixNanoseconds
        return WireMessage(envelope, body: body)
    }

    /// The end of the media that evidence was made from.
    private static func end(of body: any SwiftProtobuf.Message, _ envelope: Envelope) -> Int64 {
        (body as? any TimedEvidence)?.mediaEndNanoseconds ?? envelope.mediaStartNanoseconds + envelope.mediaDurationNanoseconds
    }

    /// A segment of a session that failed: others may be somebody else's, and fine, so only this one is given up.
    private func giveUp(_ delivery: ReadingEnd.Delivery) throws {
        let log = delivery.log
        let end = try delivery.payload.decode(Adreact_V1_End.self)
        let evidenceLog = LogID(session: log.session, track: settings.evidenceTrack, segment: log.segment)
        let start = sessions[log.session]?.segmentStartNanoseconds ?? 0
        if sessions[log.session]?.openLogs[evidenceLog] == nil {
            publish(.open(segment: log.segment, first: 0, startNanoseconds: start, present: false), log.session)
        }
        let sequence = sessions[log.session]?.openLogs[evidenceLog] ?? 0
        let gap = MediaGap(
            startNanoseconds: start, endNanoseconds: end.endNanoseconds, reason: sessions[log.session]?.failure?.description ?? "")
        publish(.gap(segment: log.segment, sequence: sequence, next: sequence + 1, gap), log.session)
        close(evidenceLog, sequence + 1, end.endNanoseconds, end.last, sessions[log.session]?.failure)
    }

    /// The rest of this session's lane will never be examined: says so, and goes on with the other sessions.
    private func fail(_ name: String, _ failure: SessionFailure, _ log: LogID) {
        guard sessions[name]?.failure == nil else { return }
        logger.error("session \(name): \(failure)")
        if sessions[name] == nil { sessions[name] = SessionWork(producer: nil, session: .with { $0.id = name }) }
        sessions[name]?.failure = failure
        loop.post { [self] in failedCount += 1 }
        if settings.sharing == .segments { return }
        if sessions[name]?.openLogs.isEmpty == true {
            publish(.open(segment: log.segment, first: 0, startNanoseconds: 0, present: false), name)
        }
        for (open, next) in sessions[name]?.openLogs ?? [:] { close(open, next, 0, true, failure) }
    }

    /// A media segment has been read: promises what the producer no longer needs.
    private func finished(_ log: LogID, next: UInt64, _ delivery: ReadingEnd.Delivery) {
        guard var work = sessions[log.session] else { return }
        work.finishedMedia[log] = next
        let isLast = (try? delivery.payload.decode(Adreact_V1_End.self).last) ?? false
        let needed = isLast || work.failure != nil || settings.sharing == .segments ? UInt32.max : work.producer?.firstNeededSegment ?? .max
        let free = work.finishedMedia.filter { $0.key.segment < needed }
        let promised = free.sorted { $0.key < $1.key }.map { Promise(media: $0.key, next: $0.value, evidence: work.written) }
        work.finishedMedia = work.finishedMedia.filter { $0.key.segment >= needed }
        if work.finishedMedia.isEmpty { work.written = [:] }
        if isLast, settings.sharing != .segments { work.producer = nil }
        sessions[log.session] = work
        loop.post { [self] in
            promises += promised
            keepPromises()
        }
    }

    private func forget(_ session: String) {
        sessions[session] = nil
        loop.post { [self] in
            promises.removeAll { $0.media.session == session }
            reaches[session] = nil
            evidence.forget(session: session)
        }
    }

    // MARK: Loop's thread

    private func report() -> StatusBoard.Report {
        var report = StatusBoard.Report()
        report.sessions = reaches.map { name, reach in reach.status(name, stages: ("received", "examined"), queuedBytes: evidence.queuedBytes(session: name)) }
        report.metrics.set(.sessionsOpen, reaches.count)
        report.metrics.set(.sessionsFailed, failedCount)
        report.metrics.set(.coverageLag, Int(report.sessions.map(\.lagNanoseconds).max() ?? 0))
        return report
    }

    private func keepPromises() {
        promises.removeAll { promise in
            guard promise.evidence.allSatisfy({ evidence.isAcknowledged($0.key, before: $0.value) }) else { return false }
            media.acknowledge(promise.media, next: promise.next)
            return true
        }
    }
}
