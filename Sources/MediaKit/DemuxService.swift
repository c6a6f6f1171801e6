import Foundation
import Logging
import Media
import NodeKit
import StreamLog
import SwiftProtobuf
import Synchronization
import Wire
import ZeroMQTransport

/// The demuxer: reads inputs, and publishes their packets as logs that can be decoded segment by segment.
///
/// A recording is read only as fast as its readers acknowledge: a full log stops the reading of the file. A live source
/// does not wait: a reader that lags too far does without the oldest segments, and is told so by a gap.
public final class DemuxService: @unchecked Sendable {
    public struct Settings: Sendable {
        public var mediaEndpoint: String
        /// Folder for notes of what reading crashed at.
        public var runDirectory: String
        /// Inputs read at once.
        public var jobs = 2
        /// Packets kept in memory for one session until every node has done with them, in bytes.
        public var sessionBudgetBytes = 96 << 20
        /// Who must have read a track before it is let go, by track.
        public var requiredGroups: [String: Set<String>] = ["audio": ["audio-node"], "video": ["face-node", "rppg-node"]]
        /// Recordings are played at their own pace, and treated as live.
        public var realtime = false
        /// How far a reader of a live source may lag before it does without the oldest segments that it has not begun: media
        /// time and bytes, for each session and group.
        public var liveLagSeconds = 10.0
        public var liveBacklogBytes = 32 << 20
        /// How long a live source that was lost is looked for, in seconds of the wall clock.
        public var reconnectSeconds = 60.0
        public var viewerID = ""
        public var advertID = ""
        public var consent = ""

        public init(mediaEndpoint: String, runDirectory: String) {
            self.mediaEndpoint = mediaEndpoint
            self.runDirectory = runDirectory
        }
    }

    /// One thing to read, and what its session is called.
    public struct Input: Sendable {
        public let source: String
        public let session: String

        public init(source: String, session: String) {
            self.source = source
            self.session = session
        }
    }

    private let settings: Settings
    private let instance: String
    private let logger: Logger
    private let loop: SocketLoop
    private let media: PublishingEnd
    /// Of each thread that reads.
    private let notes: [CrashNotes]
    private let waiting: Mutex<[Input]>
    private let budgets = Mutex<[String: ByteBudget]>([:])
    private let sources = Mutex<[String: Interruption]>([:])
    private let stopping = Atomic<Bool>(false)
    private let stopped = DispatchSemaphore(value: 0)
    private let firstFailure = Mutex<Int32>(ExitStatus.done)
    private let readers = DispatchGroup()
    private let readersAreDone = Atomic<Bool>(false)
    private let clock: WallClock
    // On the loop's thread:
    private let status: StatusBoard
    private var reaches: [String: SessionReach] = [:]
    private var finishedCount = 0
    private var failedCount = 0
    /// Sessions of live sources, and the media time of their closed segments.
    private var live: [String: LiveSession] = [:]

    private struct LiveSession {
        var newestNanoseconds: Int64 = 0
        var starts: [LogID: Int64] = [:]
        var spans: [LogID: MediaGap] = [:]
        var shedCounts: [String: Int] = [:]
    }

    public init(_ settings: Settings, inputs: [Input], instance: String, logger: Logger, clock: WallClock = .system) throws {
        self.settings = settings
        self.instance = instance
        self.logger = logger
        self.clock = clock
        waiting = Mutex(inputs)
        notes = try (0..<max(1, settings.jobs)).map { number in
            try CrashNotes(folder: settings.runDirectory, node: "demuxer", instance: "\(instance)-\(number)", scope: .thread)
        }
        loop = try SocketLoop()
        let rejections = Rejections(logger)
        media = try PublishingEnd(
            loop, endpoint: settings.mediaEndpoint, binds: true, instance: instance,
            settings: .init(requiredGroups: settings.requiredGroups),
            rejected: rejections.report)
        status = StatusBoard(loop, node: "demuxer", instance: instance, clock: clock, rejections: rejections)
        status.attach(media, endpoint: "media")
        status.report = { [unowned self] in report() }
        media.released = { [unowned self] session, bytes in budget(of: session).giveBack(bytes) }
        media.over = { [unowned self] session in
            _ = budgets.withLock { $0.removeValue(forKey: session) }
            live[session] = nil
            reaches[session] = nil
            finishedCount += 1
        }
        loop.addTicker { [unowned self] _ in
            // Readers that have read everything, and still hold on to it, need more to finish what they have. A live source waits for
            // nobody: what is too much is shed.
            for (session, budget) in budgets.withLock({ $0 }) { budget.lift(live[session] != nil || media.isStarving(session: session)) }
            shedBacklogs()
        }
    }

    public func start() {
        loop.start()
        for number in notes.indices {
            readers.enter()
            let thread = Thread { [self] in
                Thread.current.name = "read-\(number)"  // before its start, the system would not be told
                while let input = next() { read(input, notes[number]) }
                readers.leave()
            }
            thread.stackSize = 4 << 20
            thread.start()
        }
    }

    public func stop() {
        stopping.store(true, ordering: .sequentiallyConsistent)
        stopped.signal()
        for source in sources.withLock({ Array($0.values) }) { source.interrupt() }
        for budget in budgets.withLock({ Array($0.values) }) { budget.close() }
        loop.stop()
    }

    /// Of the first input that was not wholly read; 0 if all were.
    public var exitCode: Int32 { firstFailure.withLock { $0 } }

    /// Waits until every input has been read and every node has done with it.
    ///
    /// Returns early, too, when its task is cancelled: a reader may be waiting for a source that never comes.
    public func waitUntilDrained() async {
        readers.notify(queue: .global()) { [self] in readersAreDone.store(true, ordering: .sequentiallyConsistent) }
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(50))
            guard readersAreDone.load(ordering: .sequentiallyConsistent) else { continue }
            let isDone = await withCheckedContinuation { continuation in
                loop.post { [self] in continuation.resume(returning: media.isDone) }
            }
            if isDone { return }
        }
    }

    private func next() -> Input? {
        guard !stopping.load(ordering: .relaxed) else { return nil }
        return waiting.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    }

    private func budget(of session: String) -> ByteBudget {
        budgets.withLock { all in
            if let known = all[session] { return known }
            let new = ByteBudget(capacity: settings.sessionBudgetBytes)
            all[session] = new
            return new
        }
    }

    /// Waits; returns `false` at once when the process is to stop.
    private func pause(seconds: Double) -> Bool {
        guard stopped.wait(timeout: .now() + seconds) == .success else { return true }
        stopped.signal()  // for the next one who waits
        return false
    }

    // MARK: One input

    /// What is known of an input while it is read, over all connections to it.
    private struct Reading {
        let input: Input
        var session: Adreact_V1_Session
        var tracks: [TrackKind: TrackParameters] = [:]
        var cutters: [TrackKind: SegmentCutter] = [:]
        var endNanoseconds: Int64 = 0
        /// When media time zero was, on the monotonic clock, for live sources.
        var start: ContinuousClock.Instant?
        var wasOpened = false
        /// Whether anything has come by this connection.
        var isDelivering = false
    }

    /// Those that have no word for "the end", or use it for a broken connection too.
    private static let endlessTransports = ["tcp://", "udp://", "srt://", "rtp://", "rtsp://", "rtsps://"]

    /// How a connection to a source ended.
    private enum Ending {
        /// Everything was read.
        case over
        /// Closed, by a transport that has no word for "the end".
        case closed
        case failed(SessionFailure)
    }

    private func read(_ input: Input, _ notes: CrashNotes) {
        // What is no file has another session in each life.
        let known = SessionName.isRepeatable(input.source) ? input.session : SessionName.publicName(of: input.source)
        notes.working(on: LogID(session: known, track: "input"), sequence: 0)
        defer { notes.rest() }
        let crashCount = notes.crashes(at: known).count
        var reading = Reading(
            input: input,
            session: .with {
                $0.id = input.session
                $0.sourceName = SessionName.publicName(of: input.source)
                $0.viewerID = settings.viewerID
                $0.advertID = settings.advertID
                $0.consent = settings.consent
            })
        for track in TrackKind.allCases { reading.cutters[track] = SegmentCutter(track: track) }
        var ending = Ending.over
        if crashCount >= CrashNotes.mostCrashesOfInput {
            ending = .failed(SessionFailure(
                exitCode: ExitStatus.internalError,
                "\(reading.session.sourceName): demuxer crashed \(crashCount) times; given up. Please report it with this recording"))
        }
        while crashCount < CrashNotes.mostCrashesOfInput {
            let isFirst = !reading.wasOpened
            reading.isDelivering = false
            let connectionEnding: Ending
            do {
                connectionEnding = try readConnection(&reading)
            } catch let error as MediaError where error.code == .unreadableSender && isFirst {
                // A stranger must not end what waits for somebody else.
                logger.warning("\(SessionFailure(error, input: input.source)); listening again")
                guard pause(seconds: 0.2) else { return }
                continue
            } catch {
                connectionEnding = .failed(SessionFailure(error, input: input.source))
            }
            // Where a lost source does not come back, it is over for the reason that it was lost for.
            if isFirst || reading.isDelivering { ending = connectionEnding }
            if !waitForSource(reading, ending) { break }
        }
        guard !stopping.load(ordering: .relaxed) else { return }
        let failure: SessionFailure? = if case .failed(let failure) = ending { failure } else { nil }
        if let failure {
            logger.error("\(failure)")
            loop.post { [self] in failedCount += 1 }
            firstFailure.withLock { if $0 == ExitStatus.done { $0 = failure.exitCode } }
        }
        // A session that failed ends like any other, and says why: what was read of it has its timeline.
        for track in TrackKind.allCases {
            for event in reading.cutters[track]?.finish() ?? [] {
                _ = publish(event, reading.session, reading.tracks[track], failure)
            }
        }
        let name = input.session
        loop.post { [self] in media.complete(session: name) }
    }

    /// Reads until the end of the source, or of this connection to it.
    ///
    /// - Returns: `.over` also when the process is to stop.
    private func readConnection(_ reading: inout Reading) throws -> Ending {
        let name = reading.input.session
        let interruption = Interruption()
        sources.withLock { $0[name] = interruption }
        defer { _ = sources.withLock { $0.removeValue(forKey: name) } }
        guard !stopping.load(ordering: .sequentiallyConsistent) else { return .over }
        var options = DemultiplexerOptions()
        if reading.wasOpened { options.listenTimeoutSeconds = max(0.1, settings.reconnectSeconds - lostSeconds(reading)) }
        let source = try Demultiplexer(input: reading.input.source, options: options, interruption: interruption)
        reading.tracks[.audio] = source.description.audio
        reading.tracks[.video] = source.description.video
        let isFirst = !reading.wasOpened
        var offset: Int64 = 0
        if isFirst {
            reading.wasOpened = true
            reading.session.durationNanoseconds = source.description.durationNanoseconds ?? 0
            reading.session.live = source.description.isLive || settings.realtime
            logger.info("\(reading.session.sourceName): \(source.description.formatName)")
        }
        while var packet = try source.next() {
            // A source that can be opened, but gives nothing, is not there again.
            if !isFirst, !reading.isDelivering { offset = rejoin(&reading) }
            reading.isDelivering = true
            packet.ptsNanoseconds += offset
            if reading.session.live {
                guard keepPace(packet, &reading) else { return .over }
                stamp(&packet, &reading)
            }
            for event in reading.cutters[packet.track]?.add(packet) ?? [] {
                guard publish(event, reading.session, reading.tracks[packet.track]) else { return .over }
            }
            reading.endNanoseconds = max(reading.endNanoseconds, packet.ptsNanoseconds + packet.durationNanoseconds)
        }
        if let truncation = source.truncation { return .failed(SessionFailure(truncation, input: reading.input.source)) }
        let endIsUnsaid = source.description.isLive && Self.endlessTransports.contains(where: reading.input.source.lowercased().hasPrefix)
        return endIsUnsaid ? .closed : .over
    }

    /// Notes when media time zero was; a recording waits until the packet is due.
    private func keepPace(_ packet: EncodedPacket, _ reading: inout Reading) -> Bool {
        let now = ContinuousClock.now
        guard let start = reading.start else {
            reading.start = now - .nanoseconds(packet.ptsNanoseconds)
            return true
        }
        guard settings.realtime else { return true }
        let early = start + .nanoseconds(packet.ptsNanoseconds) - now
        return early <= .milliseconds(1) || pause(seconds: early / .seconds(1))
    }

    /// When a packet of a live source was read; the first one tells what time of day media time zero was.
    private func stamp(_ packet: inout EncodedPacket, _ reading: inout Reading) {
        packet.captureUnixNanoseconds = clock.unixNanoseconds
        if reading.session.startUnixNanoseconds == 0 {
            reading.session.startUnixNanoseconds = packet.captureUnixNanoseconds - packet.ptsNanoseconds
        }
    }

    /// A live source that broke off is looked for, at growing intervals. Returns whether to try again.
    private func waitForSource(_ reading: Reading, _ ending: Ending) -> Bool {
        if case .over = ending { return false }
        guard reading.wasOpened, reading.session.live, !settings.realtime, reading.start != nil else { return false }
        let lostSeconds = lostSeconds(reading)
        guard lostSeconds < settings.reconnectSeconds else { return false }
        if reading.isDelivering { logger.warning("\(reading.session.sourceName): lost; looking for it again") }
        return pause(seconds: min(8, max(0.5, lostSeconds / 2)))
    }

    /// For how long nothing has come of a live source.
    private func lostSeconds(_ reading: Reading) -> Double {
        guard let start = reading.start else { return 0 }
        return (ContinuousClock.now - start) / .seconds(1) - Double(reading.endNanoseconds) / 1e9
    }

    /// The source is there again: what lies between is a gap. Returns what to add to the new connection's media times.
    private func rejoin(_ reading: inout Reading) -> Int64 {
        let elapsed = reading.start.map { (ContinuousClock.now - $0) / .nanoseconds(1) } ?? 0
        let (lost, found) = (reading.endNanoseconds, max(reading.endNanoseconds, Int64(elapsed)))
        for track in TrackKind.allCases {
            for event in reading.cutters[track]?.interrupt(from: lost, to: found, reason: "source lost") ?? [] {
                _ = publish(event, reading.session, reading.tracks[track])
            }
        }
        logger.warning("\(reading.session.sourceName): found again after \(Double(found - lost) / 1e9) s")
        reading.endNanoseconds = found
        return found
    }

    /// Returns `false` when the process is to stop.
    private func publish(
        _ event: SegmentEvent, _ session: Adreact_V1_Session, _ parameters: TrackParameters?, _ failure: SessionFailure? = nil
    ) -> Bool {
        switch event {
        case .begin(let track, let segment, let start):
            let log = LogID(session: session.id, track: track.rawValue, segment: segment)
            var envelope = Envelope(.info, log)
            envelope.mediaStartNanoseconds = start
            let info = message(envelope, Adreact_V1_Info.with {
                $0.session = session
                if let parameters { $0.parameters = Adreact_V1_TrackParameters(parameters) }
            })
            let isLive = session.live
            loop.post { [self] in
                if isLive { live[log.session, default: LiveSession()].starts[log] = start }
                reaches[log.session, default: SessionReach()].receive(info)
                media.open(log, info: info)
            }
        case .packet(let packet, let segment, let sequence, let isContext):
            let log = LogID(session: session.id, track: packet.track.rawValue, segment: segment)
            let entry = packet.message(log, sequence: sequence, isContext: isContext, publishedAt: clock.unixNanoseconds)
            guard budget(of: session.id).take(entry.byteCount) else { return false }
            let end = packet.ptsNanoseconds + packet.durationNanoseconds
            loop.post { [self] in
                let newest = live[log.session]?.newestNanoseconds ?? 0
                live[log.session]?.newestNanoseconds = max(newest, end)
                reaches[log.session, default: SessionReach()].receive(entry)
                media.append(log, sequence: sequence, entry)
            }
        case .gap(let track, let segment, let next, let gap):
            let log = LogID(session: session.id, track: track.rawValue, segment: segment)
            let message = self.message(of: gap, log, next: next)
            loop.post { [self] in media.append(log, sequence: 0, next: next, message) }
        case .end(let track, let segment, let sequence, let end, let isLast):
            let log = LogID(session: session.id, track: track.rawValue, segment: segment)
            let body = Adreact_V1_End.with {
                $0.endNanoseconds = end
                $0.last = isLast
                if isLast, let failure { $0.failure = failure.wire }
            }
            let message = message(Envelope(.end, log, sequence: sequence), body)
            loop.post { [self] in
                if let start = live[log.session]?.starts.removeValue(forKey: log) {
                    live[log.session]?.spans[log] = MediaGap(startNanoseconds: start, endNanoseconds: end, reason: "too slow")
                }
                media.close(log, end: message)
            }
        }
        return true
    }

    private func message(of gap: MediaGap, _ log: LogID, next: UInt64) -> WireMessage {
        message(Envelope(.gap, log), Adreact_V1_Gap.with {
            $0.fromNanoseconds = gap.startNanoseconds
            $0.toNanoseconds = gap.endNanoseconds
            $0.reason = gap.reason
            $0.nextSequence = next
        })
    }

    // MARK: Loop's thread

    /// Readers of live sources that lag too far do without what they have not begun, the oldest first.
    private func shedBacklogs() {
        for (session, state) in live {
            for (track, groups) in settings.requiredGroups {
                for group in groups { shedBacklog(session, state, track, group) }
            }
        }
    }

    private func shedBacklog(_ session: String, _ state: LiveSession, _ track: String, _ group: String) {
        let backlog = media.backlog(session: session, track: track, group: group)
        var bytes = backlog.reduce(0) { $0 + $1.bytes }
        for (log, size, next) in backlog {
            guard let span = state.spans[log] else { continue }
            let lagSeconds = Double(state.newestNanoseconds - span.endNanoseconds) / 1e9
            guard lagSeconds > settings.liveLagSeconds || bytes > settings.liveBacklogBytes else { return }
            bytes -= size
            media.shed(log, for: group, gap: message(of: span, log, next: next))
            let count = (live[session]?.shedCounts[group] ?? 0) + 1
            live[session]?.shedCounts[group] = count
            // Once at 1, 2, 4, 8...: a reader that never comes must not fill the log.
            if count & (count - 1) == 0 { logger.warning("\(session): \(group) is too slow, \(count) segments of \(track) dropped for it") }
        }
    }

    private func message(_ envelope: Envelope, _ body: any Message) -> WireMessage {
        var envelope = envelope
        envelope.sourceInstance = instance
        envelope.publishUnixNanoseconds = clock.unixNanoseconds
        return WireMessage(envelope, body: body)
    }

    // MARK: Loop's thread

    private func report() -> StatusBoard.Report {
        var report = StatusBoard.Report()
        for (name, var reach) in reaches {
            // What the slowest of the required groups has not acknowledged.
            let lag = Set(settings.requiredGroups.values.joined()).map { media.lagNanoseconds(of: $0, session: name) }.max() ?? 0
            reach.examine(to: reach.receivedNanoseconds - lag)
            report.sessions.append(reach.status(name, stages: ("read", "acknowledged"), queuedBytes: media.queuedBytes(session: name)))
        }
        report.metrics.set(.sessionsOpen, reaches.count)
        report.metrics.set(.sessionsFinished, finishedCount)
        report.metrics.set(.sessionsFailed, failedCount)
        report.metrics.set(.coverageLag, Int(report.sessions.map(\.lagNanoseconds).max() ?? 0))
        return report
    }
}

extension SessionFailure {
    /// Any error of reading an input, with the exit code that the commands promise for it.
    public init(_ error: any Error, input: String) {
        if let failure = error as? SessionFailure {
            self = failure
        } else if let media = error as? MediaError {
            let exitCode = switch media.code {
            case .notFound, .permissionDenied, .isDirectory, .io: ExitStatus.noInput
            case .deviceUnavailable, .unsupportedProtocol: ExitStatus.unavailable
            case .interrupted, .invalidRequest, .outOfMemory: ExitStatus.internalError
            case .empty, .notMedia, .corrupt, .unsupportedCodec, .unreadableSender: ExitStatus.badInput
            }
            // A URL's password is nobody else's business.
            self.init(exitCode: exitCode, "\(media)".replacingOccurrences(of: input, with: input.contains("://") ? SessionName.publicName(of: input) : input))
        } else {
            self.init(exitCode: ExitStatus.internalError, "\(input): \(error)")
        }
    }
}
