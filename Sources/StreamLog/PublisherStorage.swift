import DequeModule

/// One log as the publisher keeps it.
struct StoredLog<Payload: LogPayload>: Sendable {
    struct Entry: Sendable {
        let sequence: UInt64
        let next: UInt64
        let payload: Payload
    }

    let first: UInt64
    let info: Payload
    /// How many logs the publisher had opened before.
    let ordinal: Int
    private(set) var entries: Deque<Entry> = []
    var end: Payload?
    private(set) var byteCount = 0
    private var dropped: UInt64

    init(first: UInt64, info: Payload, ordinal: Int) {
        self.first = first
        self.info = info
        self.ordinal = ordinal
        dropped = first
    }

    /// One past the last entry.
    var next: UInt64 { entries.last?.next ?? dropped }

    func mayAppend(_ sequence: UInt64) -> Bool { end == nil && sequence >= next }

    mutating func append(_ entry: Entry) {
        entries.append(entry)
        byteCount += entry.payload.byteCount
    }

    /// The first entry at or after `sequence`.
    func entry(at sequence: UInt64) -> Entry? {
        var low = entries.startIndex, high = entries.endIndex
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].next <= sequence { low = middle + 1 } else { high = middle }
        }
        return low < entries.endIndex ? entries[low] : nil
    }

    /// Forgets entries before `sequence`; returns the bytes freed.
    mutating func drop(before sequence: UInt64) -> Int {
        var freed = 0
        while let entry = entries.first, entry.next <= sequence {
            freed += entry.payload.byteCount
            dropped = entry.next
            entries.removeFirst()
        }
        byteCount -= freed
        return freed
    }
}

struct Cursor: Sendable {
    var announced: Bool
    var next: UInt64
}

/// One reader's connection.
struct Member: Sendable {
    let wanted: Subscription
    var lastHeard: Double
    private(set) var creditBytes: Int
    var cursors: [LogID: Cursor] = [:]
    /// By session: logs of its tracks with a smaller ordinal need not be looked at any more, unless somebody begins anew.
    var doneBefore: [String: Int] = [:]

    init(wanted: Subscription, lastHeard: Double) {
        self.wanted = wanted
        self.lastHeard = lastHeard
        creditBytes = min(max(0, wanted.creditBytes), Self.maximumCreditBytes)
    }

    /// One message may overdraw an account that is not empty: a message larger than the whole credit must pass too.
    var mayReceive: Bool { creditBytes > 0 }
    mutating func spend(_ bytes: Int) { creditBytes -= bytes }
    mutating func grant(_ bytes: Int) { creditBytes = min(creditBytes + min(bytes, Self.maximumCreditBytes), Self.maximumCreditBytes) }

    /// More than any reader has use for; sums of it are far from overflowing.
    static let maximumCreditBytes = 1 << 30
}

/// Readers that share work: who has which log, and what all of them together have finished.
struct Group<Peer: Hashable & Sendable, Payload: LogPayload>: Sendable {
    struct Share: Hashable, Sendable {
        let session: String
        let track: String
        let segment: UInt32?
    }

    var peers: [Peer] = []
    /// Nobody is there, and there is nothing to remember.
    var isIdle: Bool { peers.isEmpty && acknowledged.isEmpty }
    var acknowledged: [LogID: UInt64] = [:]
    /// Logs that the group does without, and what it gets in place of their entries.
    var shed: [LogID: Payload] = [:]
    private var sent: [LogID: UInt64] = [:]
    private var owner: [Share: Peer] = [:]
    /// By session: when a member last took a segment of it. The count is of all that were taken.
    private(set) var lastTurns: [String: Int] = [:]
    private var turnCount = 0

    /// Whether the log is this peer's, taking it if it is nobody's and the peer has room.
    mutating func claim(_ id: LogID, for peer: Peer, sharing: Sharing, limit: Int) -> Bool {
        let share = Share(session: id.session, track: id.track, segment: sharing == .segments ? id.segment : nil)
        if let current = owner[share] { return current == peer }
        let mine = shares(of: peer)
        if sharing == .segments, mine >= limit { return false }
        // Whole sessions go to whoever has fewest.
        if sharing == .sessions, peers.contains(where: { shares(of: $0) < mine }) { return false }
        owner[share] = peer
        if sharing == .segments {
            turnCount += 1
            lastTurns[id.session] = turnCount
        }
        return true
    }

    /// Everything before `next` has been sent to a member; returns whether any of it is sent for the first time.
    mutating func noteSent(_ id: LogID, _ next: UInt64) -> Bool {
        guard next > sent[id] ?? 0 else { return false }
        sent[id] = next
        return true
    }

    private func shares(of peer: Peer) -> Int { owner.values.count { $0 == peer } }

    mutating func release(_ id: LogID) {
        owner[Share(session: id.session, track: id.track, segment: id.segment)] = nil
    }

    /// Tracks of a session that belong to a member as a whole.
    func sharedTracks(of session: String) -> [String] {
        owner.keys.filter { $0.session == session && $0.segment == nil }.map(\.track)
    }

    mutating func release(session: String, track: String) {
        owner[Share(session: session, track: track, segment: nil)] = nil
    }

    /// Nobody will ask for this log again.
    mutating func retire(_ id: LogID) {
        release(id)
        acknowledged[id] = nil
        shed[id] = nil
        sent[id] = nil
    }

    mutating func remove(_ peer: Peer) {
        peers.removeAll { $0 == peer }
        owner = owner.filter { $0.value != peer }
    }

    mutating func forget(session: String) {
        acknowledged = acknowledged.filter { $0.key.session != session }
        shed = shed.filter { $0.key.session != session }
        sent = sent.filter { $0.key.session != session }
        owner = owner.filter { $0.key.session != session }
        lastTurns[session] = nil
    }
}

extension Array {
    /// Where the elements begin for which `belongs` is true: from there on it is true of all.
    func partitioningIndex(where belongs: (Element) -> Bool) -> Int {
        var (low, high) = (startIndex, endIndex)
        while low < high {
            let middle = (low + high) / 2
            if belongs(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
