import Foundation
import Fusion
import Logging
import StreamLog
import Wire
import ZeroMQTransport

/// What a reader of the timeline gets to see, in order for each session.
public enum TimelineMessage: Sendable {
    case began(SessionInfo)
    /// A window (with `isFinal` false one that is still open), a row, or an amendment.
    case event(session: String, TimelineEvent)
    case ended(session: String, endNanoseconds: Int64, SessionFailure?)
    case progress([SessionProgress])
}

/// When what a message tells of was captured, and when it was published: nanoseconds since 1970, 0 where not known.
public struct MessageTimes: Sendable {
    public let captureUnixNanoseconds: Int64
    public let publishUnixNanoseconds: Int64

    init(_ envelope: Envelope) {
        captureUnixNanoseconds = envelope.captureUnixNanoseconds
        publishUnixNanoseconds = envelope.publishUnixNanoseconds
    }
}

public struct SessionInfo: Sendable, Equatable {
    public let name: String
    public let sourceName: String
    /// `nil`: not known.
    public let durationNanoseconds: Int64?

    package init(name: String, sourceName: String, durationNanoseconds: Int64?) {
        self.name = name
        self.sourceName = sourceName
        self.durationNanoseconds = durationNanoseconds
    }
}

public struct SessionProgress: Sendable {
    public let session: String
    /// 0: not known.
    public let durationNanoseconds: Int64
    /// Media time up to which every lane has been examined.
    public let coveredNanoseconds: Int64
}

/// One more reader of the timeline: connects to the fusion node, from whenever, and gets every session whole.
public final class TimelineReader: @unchecked Sendable {
    private let inbox = Mailbox<Incoming>()
    private let loop: SocketLoop
    // On the loop's thread:
    private let timeline: ReadingEnd
    private let status: StatusBoard
    // On the reader's thread:
    private var endedTracks: [String: Set<String>] = [:]

    private enum Incoming: Sendable {
        case delivery(ReadingEnd.Delivery)
        case transient(WireMessage)
        case progress([Adreact_V1_SessionProgress])

        var times: MessageTimes {
            switch self {
            case .delivery(let delivery): MessageTimes(delivery.payload.envelope)
            case .transient(let message): MessageTimes(message.envelope)
            case .progress: MessageTimes(Envelope())
            }
        }
    }

    /// - Parameters:
    ///   - group: readers of one group name share one place in the timeline, and resume there; `nil`: by itself, from the start.
    ///   - fromStart: the group begins anew.
    ///   - wantsOpenWindows: also windows that are not final yet.
    ///   - node: what kind of program `adreact status` is to call this one.
    public init(
        endpoint: String, group: String?, fromStart: Bool, wantsOpenWindows: Bool, node: String = "sink", instance: String, logger: Logger,
        clock: WallClock = .system
    ) throws {
        loop = try SocketLoop()
        let rejections = Rejections(logger)
        timeline = try ReadingEnd(
            loop, endpoint: endpoint, binds: false, instance: instance,
            subscription: Subscription(
                group: group ?? instance, member: instance, sharing: .everything, tracks: Set(TimelineTrack.all),
                creditBytes: 1 << 20, wantsTransient: wantsOpenWindows, fromStart: fromStart),
            rejected: rejections.report)
        status = StatusBoard(loop, node: node, instance: instance, clock: clock, rejections: rejections)
        status.attach(timeline, endpoint: "timeline")
        timeline.delivered = { [inbox] in inbox.put(.delivery($0)) }
        timeline.transient = { [inbox] in inbox.put(.transient($0)) }
        timeline.progressed = { [inbox] in inbox.put(.progress($0)) }
        loop.start()
    }

    public func stop() {
        inbox.close()
        loop.stop()
    }

    /// Hands every message to `body` until it returns `false` or `stop` is called; blocks. What `body` has taken is
    /// acknowledged: a reader of the same group will not get it again.
    public func forEach(_ body: (TimelineMessage) throws -> Bool) rethrows { try forEach { message, _ in try body(message) } }

    /// Likewise, with the wall-clock times of each message.
    public func forEach(_ body: (TimelineMessage, MessageTimes) throws -> Bool) rethrows {
        while let batch = inbox.takeAll() {
            for incoming in batch {
                for message in messages(of: incoming) {
                    guard try body(message, incoming.times) else { return settle(incoming) }
                }
                settle(incoming)
            }
        }
    }

    private func settle(_ incoming: Incoming) {
        guard case .delivery(let delivery) = incoming else { return }
        let session = delivery.log.session
        let isOver = endedTracks[session]?.count == TimelineTrack.all.count
        if isOver { endedTracks[session] = nil }
        loop.post { [self] in
            timeline.acknowledge(delivery.log, next: delivery.next)
            timeline.consumed(delivery.ticket)
            // Or what is remembered of sessions would fill up, and no further one be read.
            if isOver { timeline.finish(session: session) }
        }
    }

    private func messages(of incoming: Incoming) -> [TimelineMessage] {
        switch incoming {
        case .progress(let sessions):
            [.progress(sessions.map { session in
                SessionProgress(
                    session: session.session, durationNanoseconds: session.durationNanoseconds,
                    coveredNanoseconds: session.coveredNanoseconds.values.min() ?? 0)
            })]
        case .transient(let message): entry(message)
        case .delivery(let delivery):
            switch delivery.event {
            case .info: began(delivery)
            case .entry: entry(delivery.payload)
            case .end: ended(delivery)
            }
        }
    }

    private func began(_ delivery: ReadingEnd.Delivery) -> [TimelineMessage] {
        let name = delivery.log.session
        guard endedTracks[name] == nil, let info = try? delivery.payload.decode(Adreact_V1_Info.self) else { return [] }
        endedTracks[name] = []
        let duration = info.session.durationNanoseconds
        return [.began(SessionInfo(name: name, sourceName: info.session.sourceName, durationNanoseconds: duration > 0 ? duration : nil))]
    }

    private func entry(_ message: WireMessage) -> [TimelineMessage] {
        let session = message.envelope.session
        let event: TimelineEvent? = if message.envelope.track == TimelineTrack.seconds {
            (try? message.decode(Adreact_V1_TimelineSecond.self)).flatMap { $0.row(session: session) }.map { .second($0) }
        } else {
            (try? message.decode(Adreact_V1_TimelineWindow.self))?.event(session: session)
        }
        return event.map { [.event(session: session, $0)] } ?? []
    }

    private func ended(_ delivery: ReadingEnd.Delivery) -> [TimelineMessage] {
        let name = delivery.log.session
        endedTracks[name]?.insert(delivery.log.track)
        guard endedTracks[name]?.count == TimelineTrack.all.count else { return [] }
        let end = (try? delivery.payload.decode(Adreact_V1_End.self)) ?? Adreact_V1_End()
        return [.ended(session: name, endNanoseconds: max(0, min(end.endNanoseconds, TimelineTrack.times.upperBound)), end.hasFailure ? SessionFailure(end.failure) : nil)]
    }
}

/// A session whose timeline is over.
public struct SessionTimeline: Sendable {
    public let info: SessionInfo
    public internal(set) var timeline: Timeline
    /// What was wrong with the input, or with the work on it.
    public internal(set) var failure: SessionFailure?
}

/// The timelines of all sessions that a reader has seen begin, until they are over.
public struct SessionTimelines: Sendable {
    private var open: [String: SessionTimeline] = [:]

    public init() {}

    /// Takes in one message; returns a session's timeline when that was its last.
    public mutating func receive(_ message: TimelineMessage) -> SessionTimeline? {
        switch message {
        case .began(let info):
            open[info.name] = SessionTimeline(info: info, timeline: Timeline(session: info.name))
        case .event(let session, let event):
            open[session]?.timeline.apply(event)
        case .progress:
            break
        case .ended(let session, let end, let failure):
            var whole = open.removeValue(forKey: session)
            whole?.timeline.apply(.ended(endNanoseconds: end))
            whole?.failure = failure
            return whole
        }
        return nil
    }
}
