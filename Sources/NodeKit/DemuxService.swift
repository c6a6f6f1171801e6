import Foundation
import Logging
import Media
import StreamLog
import SwiftProtobuf
import Synchronization
import Wire
import ZeroMQTransport

/// The demuxer: reads inputs, and publishes their packets as logs that can be decoded segment by segment.
///
/// A recording is read only as fast as its readers acknowledge: a full log stops the reading of the file.
public final class DemuxService: @unchecked Sendable {
    public struct Settings: Sendable {
        public var mediaEndpoint: String
        /// Inputs read at once.
        public var jobs = 2
        /// Packets kept in memory for one session until every node has done with them, in bytes.
        public var sessionBudgetBytes = 96 << 20
        /// Who must have read a track before it is let go, by track.
        public var requiredGroups: [String: Set<String>] = ["audio": ["audio-node"], "video": ["face-node", "rppg-node"]]
        public var viewerID = ""
        public var advertID = ""
        public var consent = ""

        public init(mediaEndpoint: String) { self.mediaEndpoint = mediaEndpoint }
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
    private let waiting: Mutex<[Input]>
    private let budgets = Mutex<[String: ByteBudget]>([:])
    private let sources = Mutex<[String: Interruption]>([:])
    private let stopping = Atomic<Bool>(false)
    private let firstFailure = Mutex<Int32>(ExitStatus.done)
    private let readers = DispatchGroup()

    public init(_ settings: Settings, inputs: [Input], instance: String, logger: Logger) throws {
        self.settings = settings
        self.instance = instance
        self.logger = logger
        waiting = Mutex(inputs)
        loop = try SocketLoop()
        media = try PublishingEnd(
            loop, endpoint: settings.mediaEndpoint, binds: true, instance: instance,
            settings: .init(requiredGroups: settings.requiredGroups),
            rejected: Rejections(logger).report)
        media.released = { [unowned self] session, bytes in budget(of: session).giveBack(bytes) }
        media.over = { [unowned self] session in _ = budgets.withLock { $0.removeValue(forKey: session) } }
        loop.addTicker { [unowned self] _ in
            // Readers that have read everything, and still hold on to it, need more to finish what they have.
            for (session, budget) in budgets.withLock({ $0 }) { budget.lift(media.isStarving(session: session)) }
        }
    }

    public func start() {
        loop.start()
        for number in 0..<max(1, settings.jobs) {
            readers.enter()
            let thread = Thread { [self] in
                while let input = next() { read(input) }
                readers.leave()
            }
            thread.name = "read-\(number)"
            thread.stackSize = 4 << 20
            thread.start()
        }
    }

    public func stop() {
        stopping.store(true, ordering: .relaxed)
        for source in sources.withLock({ Array($0.values) }) { source.interrupt() }
        for budget in budgets.withLock({ Array($0.values) }) { budget.close() }
        loop.stop()
    }

    /// Of the first input that was not wholly read; 0 if all were.
    public var exitCode: Int32 { firstFailure.withLock { $0 } }

    /// Waits until every input has been read and every node has done with it.
    public func waitUntilDrained() async {
        await withCheckedContinuation { continuation in readers.notify(queue: .global()) { continuation.resume() } }
        while !Task.isCancelled {
            let isDone = await withCheckedContinuation { continuation in
                loop.post { [self] in continuation.resume(returning: media.isDone) }
            }
            if isDone { return }
            try? await Task.sleep(for: .milliseconds(50))
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

    // MARK: One input

    private func read(_ input: Input) {
        var session = Adreact_V1_Session.with {
            $0.id = input.session
            $0.sourceName = SessionName.publicName(of: input.source)
            $0.viewerID = settings.viewerID
            $0.advertID = settings.advertID
            $0.consent = settings.consent
        }
        var tracks: [TrackKind: TrackParameters] = [:]
        var cutters: [TrackKind: SegmentCutter] = [:]
        for track in TrackKind.allCases { cutters[track] = SegmentCutter(track: track) }
        var failure: SessionFailure?
        do {
            let source = try Demultiplexer(input: input.source)
            sources.withLock { $0[input.session] = source.interruption }
            defer { _ = sources.withLock { $0.removeValue(forKey: input.session) } }
            tracks[.audio] = source.description.audio
            tracks[.video] = source.description.video
            session.durationNanoseconds = source.description.durationNanoseconds ?? 0
            session.live = source.description.isLive
            logger.info("\(session.sourceName): \(source.description.formatName)")
            while let packet = try source.next() {
                for event in cutters[packet.track]?.add(packet) ?? [] {
                    guard publish(event, session, tracks[packet.track]) else { return }
                }
            }
            failure = source.truncation.map { SessionFailure($0, input: input.source) }
        } catch {
            failure = SessionFailure(error, input: input.source)
        }
        guard !stopping.load(ordering: .relaxed) else { return }
        if let failure {
            logger.error("\(failure)")
            firstFailure.withLock { if $0 == ExitStatus.done { $0 = failure.exitCode } }
        }
        // A session that failed ends like any other, and says why: what was read of it has its timeline.
        for track in TrackKind.allCases {
            for event in cutters[track]?.finish() ?? [] { _ = publish(event, session, tracks[track], failure) }
        }
        let name = session.id
        loop.post { [self] in media.complete(session: name) }
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
            loop.post { [self] in media.open(log, info: info) }
        case .packet(let packet, let segment, let sequence, let isContext):
            let log = LogID(session: session.id, track: packet.track.rawValue, segment: segment)
            let entry = packet.message(log, sequence: sequence, isContext: isContext)
            guard budget(of: session.id).take(entry.byteCount) else { return false }
            loop.post { [self] in media.append(log, sequence: sequence, entry) }
        case .end(let track, let segment, let sequence, let end, let isLast):
            let log = LogID(session: session.id, track: track.rawValue, segment: segment)
            let body = Adreact_V1_End.with {
                $0.endNanoseconds = end
                $0.last = isLast
                if isLast, let failure { $0.failure = failure.wire }
            }
            let message = message(Envelope(.end, log, sequence: sequence), body)
            loop.post { [self] in media.close(log, end: message) }
        }
        return true
    }

    private func message(_ envelope: Envelope, _ body: any Message) -> WireMessage {
        var envelope = envelope
        envelope.sourceInstance = instance
        return WireMessage(envelope, body: body)
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
            case .empty, .notMedia, .corrupt, .unsupportedCodec: ExitStatus.badInput
            }
            // A URL's password is nobody else's business.
            self.init(exitCode: exitCode, "\(media)".replacingOccurrences(of: input, with: input.contains("://") ? SessionName.publicName(of: input) : input))
        } else {
            self.init(exitCode: ExitStatus.internalError, "\(input): \(error)")
        }
    }
}
