/// One replayable log: one segment of one track of one session.
///
/// A log is an announcement (`Info`), numbered entries (data and gaps), and an end. Its numbers come from the content
/// (packet index, window index, frame index), so whoever makes the log again makes the same one.
public struct LogID: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let session: String
    public let track: String
    public let segment: UInt32

    public init(session: String, track: String, segment: UInt32 = 0) {
        self.session = session
        self.track = track
        self.segment = segment
    }

    public static func < (a: LogID, b: LogID) -> Bool {
        (a.session, a.track, a.segment) < (b.session, b.track, b.segment)
    }

    public var description: String { "\(session)/\(track)/\(segment)" }
}

/// What a publisher keeps and a reader receives: an opaque message with a price in bytes.
public protocol LogPayload: Sendable {
    var byteCount: Int { get }
}

/// How far a named group of readers has come in a log: everything before `next` is done with.
public struct GroupPlace: Hashable, Sendable {
    public let group: String
    public let log: LogID
    public let next: UInt64

    public init(group: String, log: LogID, next: UInt64) {
        self.group = group
        self.log = log
        self.next = next
    }
}

/// How a group shares the logs out among its members.
public enum Sharing: Sendable, Equatable {
    /// Every member gets every log.
    case everything
    /// All logs of a session's track go to one member, one segment after the other.
    case sessions
    /// Each log goes to one member.
    case segments
}

/// What a reader tells a publisher that it wants.
public struct Subscription: Sendable, Equatable {
    public var group: String
    public var member: String
    public var sharing: Sharing
    public var tracks: Set<String>
    public var creditBytes: Int
    /// Also wants what is outside the log: provisional windows, progress.
    public var wantsTransient: Bool
    /// Forget what the group acknowledged before.
    public var fromStart: Bool

    /// A member that is a group by itself, and leaves nothing behind when it goes.
    public var isAnonymous: Bool { group == member }

    public init(
        group: String, member: String, sharing: Sharing, tracks: Set<String>, creditBytes: Int,
        wantsTransient: Bool = false, fromStart: Bool = false
    ) {
        self.group = group
        self.member = member
        self.sharing = sharing
        self.tracks = tracks
        self.creditBytes = creditBytes
        self.wantsTransient = wantsTransient
        self.fromStart = fromStart
    }
}

/// From a reader to a publisher.
public enum ReaderMessage: Sendable, Equatable {
    case subscribe(Subscription)
    /// The reader can take so many bytes more.
    case credit(bytes: Int)
    /// Everything before `next` is done with, for the whole group. `resend`: and please send again from there.
    case acknowledge(LogID, next: UInt64, resend: Bool)
    case heartbeat
}

/// From a publisher to a reader.
public enum PublisherMessage<Payload: LogPayload>: Sendable {
    /// A log begins; `first` is the number of its first entry (above 0 where a restarted publisher resumes).
    case info(LogID, first: UInt64, Payload)
    /// Entry `sequence`; `next` is the number that follows it (sequence + 1, more for a gap).
    case entry(LogID, sequence: UInt64, next: UInt64, Payload)
    /// The log is over; `sequence` is one past its last entry.
    case end(LogID, sequence: UInt64, Payload)
    /// Every log of the session has been read to its end by every required group: nothing of it will come again.
    case over(session: String)
    /// "I do not know you as a reader: subscribe."
    case hello(instance: String)
    case heartbeat(instance: String)
}
