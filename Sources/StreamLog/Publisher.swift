import OrderedCollections

/// The sending side of the log protocol, as a pure state machine: messages and the time in, messages to send out.
///
/// It keeps every entry until every required group has acknowledged it, shares logs out among the members of a group,
/// never sends beyond a reader's credit, and gives the work of a silent member to another.
///
/// Time is any monotonic clock in seconds, passed in.
public struct Publisher<Peer: Hashable & Sendable, Payload: LogPayload>: Sendable {
    public struct Settings: Sendable {
        /// Groups whose acknowledgement is needed before an entry is dropped, by track. A track without any keeps
        /// its entries until `forget(session:)`.
        public var requiredGroups: [String: Set<String>]
        /// A member that says nothing for so long is taken for dead.
        public var livenessSeconds: Double
        /// Under `Sharing.segments`, how many logs a member may hold at once: enough to be busy, few enough that
        /// one who joins later finds work.
        public var segmentsPerMember: Int
        /// Members and groups that are known at once: so that no peer can fill the memory with them. Who comes beyond is refused.
        public var maximumMembers = 200
        public var maximumGroups = 400

        public init(requiredGroups: [String: Set<String>] = [:], livenessSeconds: Double = 3, segmentsPerMember: Int = 2) {
            self.requiredGroups = requiredGroups
            self.livenessSeconds = livenessSeconds
            self.segmentsPerMember = segmentsPerMember
        }
    }

    public enum Action: Sendable {
        case send(Peer, PublisherMessage<Payload>)
        /// Entries were dropped for good: so many bytes of the session's memory are free again.
        case released(session: String, bytes: Int)
        /// All of a completed session was acknowledged by every required group, and is forgotten.
        case over(session: String)
        /// A named group has come further, and nobody else need remember it: worth keeping for `restore`.
        case moved(GroupPlace)
        /// A named group begins anew.
        case rewound(group: String)
        /// A subscription beyond the limits.
        case refused(String)
    }

    /// Counters for those who watch.
    public struct Counters: Sendable, Equatable {
        /// Entries that were sent to a group that had been sent them before.
        public var redelivered = 0
        /// Members that were given up because they said nothing.
        public var lostMembers = 0
        /// Entries that a group does without, because it lagged too far behind a live source.
        public var shed = 0

        public init(redelivered: Int = 0, lostMembers: Int = 0, shed: Int = 0) {
            self.redelivered = redelivered
            self.lostMembers = lostMembers
            self.shed = shed
        }
    }

    public let settings: Settings
    public private(set) var counters = Counters()
    private let instance: String
    private var logs: [LogID: StoredLog<Payload>] = [:]
    /// Logs that every required group has read to the end: dropped, and not to be opened again.
    private var finished: Set<LogID> = []
    /// Sessions in which no further log will be opened.
    private var completed: Set<String> = []
    /// The order in which logs were opened: delivery is fair among sessions and in time order within one.
    private var sessions: OrderedDictionary<String, [LogID]> = [:]
    private var openedCount = 0
    private var groups: [String: Group<Peer, Payload>] = [:]
    private var members: [Peer: Member] = [:]

    public init(instance: String, settings: Settings = Settings()) {
        self.instance = instance
        self.settings = settings
    }

    /// Where named groups were in an earlier life of this publisher.
    public mutating func restore(_ places: [GroupPlace]) {
        for place in places { groups[place.group, default: Group()].acknowledged[place.log] = place.next }
    }

    // MARK: Writing

    /// Begins a log. `first` is the number of its first entry. Opening it again (a session read anew) is ignored.
    public mutating func open(_ id: LogID, first: UInt64 = 0, info: Payload) -> [Action] {
        guard logs[id] == nil, !finished.contains(id) else { return [] }
        logs[id] = StoredLog(first: first, info: info, ordinal: openedCount)
        openedCount += 1
        sessions[id.session, default: []].append(id)
        return deliverNews(of: id)
    }

    /// Appends entry `sequence`; `next` is the number that follows it. Numbers already written are ignored.
    public mutating func append(_ id: LogID, sequence: UInt64, next: UInt64? = nil, _ payload: Payload) -> [Action] {
        guard logs[id]?.mayAppend(sequence) == true else {
            return [.released(session: id.session, bytes: payload.byteCount)]
        }
        logs[id]?.append(.init(sequence: sequence, next: next ?? sequence + 1, payload: payload))
        return drop(id) + deliverNews(of: id)
    }

    /// Ends a log.
    public mutating func close(_ id: LogID, end: Payload) -> [Action] {
        guard logs[id] != nil, logs[id]?.end == nil else { return [] }
        logs[id]?.end = end
        let released = drop(id)
        // Whoever had a log that is gone has room for another.
        return released + (logs[id] == nil ? pump() : deliverNews(of: id))
    }

    /// No further log of this session will be opened: once all of them are closed and read, it is over.
    public mutating func complete(session: String) -> [Action] {
        completed.insert(session)
        for name in groups.keys { releaseShares(of: session, in: name) }
        return endIfRead(session) + pump()
    }

    /// Drops everything of a session, acknowledged or not.
    public mutating func forget(session: String) -> [Action] {
        let ids = sessions.removeValue(forKey: session) ?? []
        completed.remove(session)
        var bytes = 0
        for id in ids {
            bytes += logs.removeValue(forKey: id)?.byteCount ?? 0
            for peer in members.keys { members[peer]?.cursors[id] = nil }
        }
        for peer in members.keys { members[peer]?.doneBefore[session] = nil }
        for name in groups.keys { groups[name]?.forget(session: session) }
        finished = finished.filter { $0.session != session }
        return bytes > 0 ? [.released(session: session, bytes: bytes)] : []
    }

    // MARK: Overload

    /// What a required group has not begun of a session's track, oldest first: closed logs, with the bytes that are kept
    /// for it and the number after its last entry.
    public func backlog(session: String, track: String, group: String) -> [(log: LogID, bytes: Int, next: UInt64)] {
        (sessions[session] ?? []).compactMap { id in
            guard id.track == track, let log = logs[id], log.end != nil, groups[group]?.shed[id] == nil,
                groups[group]?.acknowledged[id] ?? 0 <= log.first, !isBegun(id, by: group)
            else { return nil }
            return (id, log.byteCount, log.next)
        }
    }

    /// Lets a group do without a closed log: its members get `gap` in place of the entries, then the log's end.
    public mutating func shed(_ id: LogID, for group: String, gap: Payload) -> [Action] {
        guard logs[id]?.end != nil else { return [] }
        counters.shed += groups[group]?.shed[id] == nil ? logs[id]?.entries.count ?? 0 : 0
        groups[group, default: Group()].shed[id] = gap
        return drop(id) + pump()
    }

    private func isBegun(_ id: LogID, by group: String) -> Bool {
        groups[group]?.peers.contains { members[$0]?.cursors[id] != nil } ?? false
    }

    // MARK: Reading

    public mutating func receive(_ message: ReaderMessage, from peer: Peer, now: Double) -> [Action] {
        if case .subscribe(let wanted) = message { return subscribe(wanted, peer, now) }
        guard members[peer] != nil else {
            // Only to heartbeats: a stranger's queue of old words must not raise a flood of answers.
            return message == .heartbeat ? [.send(peer, .hello(instance: instance))] : []
        }
        members[peer]?.lastHeard = now
        switch message {
        case .subscribe, .heartbeat:
            return []
        case .credit(let bytes):
            guard bytes > 0 else { return [] }
            // Saturating: a hostile peer may send any number.
            members[peer]?.grant(bytes)
            return deliverTo([peer])
        case .acknowledge(let id, let next, let resend):
            return acknowledge(id, next, resend, peer)
        }
    }

    /// Peers to greet and members to give up, as time goes by.
    public mutating func tick(now: Double) -> [Action] {
        let silent = members.filter { now - $0.value.lastHeard > settings.livenessSeconds }.map(\.key)
        for peer in silent { remove(peer) }
        counters.lostMembers += silent.count
        return silent.isEmpty ? [] : pump()
    }

    /// A reader does not take what is sent to it: it must subscribe again.
    public mutating func disconnect(_ peer: Peer) -> [Action] {
        remove(peer)
        return pump()
    }

    // MARK: State, for those who watch

    public var peers: [Peer] { Array(members.keys) }
    public var transientPeers: [Peer] { members.filter { $0.value.wanted.wantsTransient }.map(\.key) }
    /// Bytes kept, of one session.
    public func byteCount(session: String) -> Int {
        sessions[session]?.reduce(0) { $0 + (logs[$1]?.byteCount ?? 0) } ?? 0
    }
    /// Everything written was closed, and acknowledged by every required group.
    public var isDone: Bool { logs.isEmpty }
    /// Logs of which something is remembered, were it only that they are finished.
    public var rememberedLogCount: Int { logs.count + finished.count }
    /// Whether every required group that holds on to something of a session has been sent all that there is. They can only let
    /// go of it with more to come. While one has not, it will make room by itself, or is away, and what waits for it must not grow.
    public func isStarving(session: String) -> Bool {
        var isHeld = false
        for (track, names) in settings.requiredGroups {
            let ids = sessions[session]?.filter { $0.track == track } ?? []
            for name in names {
                let peers = groups[name]?.peers ?? []
                for id in ids where !isRead(id, by: name) {
                    guard peers.contains(where: { members[$0]?.cursors[id] != nil && !hasMore(id, for: $0) }) else { return false }
                    isHeld = true
                }
            }
        }
        return isHeld
    }
    /// Whether every required group has acknowledged all of a log before `next`.
    public func isAcknowledged(_ id: LogID, before next: UInt64) -> Bool { finished.contains(id) || required(id) >= next }
    public func groupMembers() -> [String: Int] { groups.mapValues(\.peers.count) }
    /// Bytes kept, of all sessions.
    public var byteCount: Int { logs.values.reduce(0) { $0 + $1.byteCount } }

    /// Who reads: the members of every group.
    public var readers: [(group: String, member: String, creditBytes: Int)] {
        members.values.map { ($0.wanted.group, $0.wanted.member, $0.creditBytes) }.sorted { ($0.0, $0.1) < ($1.0, $1.1) }
    }
    /// Groups that have members, and those that must acknowledge, members or not.
    public var groupNames: Set<String> {
        settings.requiredGroups.values.reduce(into: Set(members.values.map(\.wanted.group))) { $0.formUnion($1) }
    }
    /// The oldest entry of a session that a group has not acknowledged, and the newest of all; `nil`: it has them all.
    public func unacknowledged(by group: String, session: String) -> (oldest: Payload, newest: Payload)? {
        var tracks = Set(settings.requiredGroups.filter { $0.value.contains(group) }.keys)
        for member in members.values where member.wanted.group == group { tracks.formUnion(member.wanted.tracks) }
        let kept = (sessions[session] ?? []).filter { tracks.contains($0.track) && groups[group]?.shed[$0] == nil }
        let waiting = kept.compactMap { id in logs[id]?.entry(at: groups[group]?.acknowledged[id] ?? 0)?.payload }
        guard let oldest = waiting.first, let newest = kept.reversed().lazy.compactMap({ logs[$0]?.entries.last?.payload }).first
        else { return nil }
        return (oldest, newest)
    }
    /// Sessions of which something is kept, in the order in which they began.
    public var sessionNames: [String] { Array(sessions.keys) }

    // MARK: -

    private mutating func subscribe(_ wanted: Subscription, _ peer: Peer, _ now: Double) -> [Action] {
        remove(peer)
        // The same member on a new connection: the old one is gone.
        for (old, member) in members where member.wanted.group == wanted.group && member.wanted.member == wanted.member {
            remove(old)
        }
        if groups[wanted.group] == nil, groups.count >= settings.maximumGroups {
            groups = groups.filter { !$0.value.isIdle || isRequired($0.key) }
        }
        guard members.count < settings.maximumMembers, groups[wanted.group] != nil || groups.count < settings.maximumGroups else {
            return [.refused("a subscription of group '\(wanted.group)': there are \(members.count) readers in \(groups.count) groups already")]
        }
        if wanted.fromStart {
            groups[wanted.group]?.acknowledged = [:]
            for other in groups[wanted.group]?.peers ?? [] { members[other]?.doneBefore = [:] }
        }
        members[peer] = Member(wanted: wanted, lastHeard: now)
        groups[wanted.group, default: Group()].peers.append(peer)
        return (wanted.fromStart && !wanted.isAnonymous ? [.rewound(group: wanted.group)] : []) + pump()
    }

    private mutating func remove(_ peer: Peer) {
        guard let wanted = members.removeValue(forKey: peer)?.wanted else { return }
        groups[wanted.group]?.remove(peer)
        // Its place is of no use to anyone. If it was only asleep, it tells where it was when it comes back.
        if wanted.isAnonymous, !isRequired(wanted.group), groups[wanted.group]?.peers.isEmpty == true { groups[wanted.group] = nil }
    }

    private func isRequired(_ group: String) -> Bool { settings.requiredGroups.values.contains { $0.contains(group) } }

    private mutating func acknowledge(_ id: LogID, _ next: UInt64, _ resend: Bool, _ peer: Peer) -> [Action] {
        guard logs[id] != nil, let member = members[peer] else { return [] }
        let name = member.wanted.group
        // May lie beyond what is written so far: after a restart, when the source is read anew.
        let known = groups[name]?.acknowledged[id] ?? 0
        let position = max(known, next)
        groups[name]?.acknowledged[id] = position
        let isNews = position > known && !member.wanted.isAnonymous && !isRequired(name)
        if resend {
            members[peer]?.cursors[id] = Cursor(announced: false, next: position)
            members[peer]?.doneBefore[id.session] = nil
        } else if let cursor = member.cursors[id] {
            members[peer]?.cursors[id]?.next = max(cursor.next, position)
        }
        if isRead(id, by: name) {
            groups[name]?.release(id)
            releaseShares(of: id.session, in: name)
        }
        let news: [Action] = isNews ? [.moved(GroupPlace(group: name, log: id, next: position))] : []
        let released = drop(id) + endIfRead(id.session)
        // What one group has read changes nothing for the others, unless it is gone with that: who had it has room for another.
        return news + released + (logs[id] == nil ? pump() : deliverTo(groups[name]?.peers ?? []))
    }

    private func isRead(_ id: LogID, by group: String) -> Bool {
        guard let log = logs[id], log.end != nil else { return false }
        return (groups[group]?.acknowledged[id] ?? 0) >= log.next + 1
    }

    /// The number that every required group has acknowledged; 0 where none is required, so that all is kept.
    private func required(_ id: LogID) -> UInt64 {
        guard let names = settings.requiredGroups[id.track], !names.isEmpty else { return 0 }
        return names.map { groups[$0]?.acknowledged[id] ?? 0 }.min() ?? 0
    }

    /// The number before which no required group will be sent anything.
    private func needed(_ id: LogID) -> UInt64 {
        guard let names = settings.requiredGroups[id.track], !names.isEmpty, let log = logs[id] else { return 0 }
        return names.map { name in
            let position = groups[name]?.acknowledged[id] ?? 0
            return groups[name]?.shed[id] == nil ? position : max(position, log.next)
        }.min() ?? 0
    }

    private mutating func drop(_ id: LogID) -> [Action] {
        let position = required(id)
        let unneeded = needed(id)
        guard let freed = logs[id]?.drop(before: unneeded) else { return [] }
        if let log = logs[id], log.end != nil, position > log.next { retire(id) }
        return freed > 0 ? [.released(session: id.session, bytes: freed)] : []
    }

    private mutating func retire(_ id: LogID) {
        logs[id] = nil
        finished.insert(id)
        sessions[id.session]?.removeAll { $0 == id }
        for peer in members.keys { members[peer]?.cursors[id] = nil }
        for name in groups.keys { groups[name]?.retire(id) }
    }

    /// Whole sessions that a group has read are nobody's any more: their readers have room for others.
    private mutating func releaseShares(of session: String, in group: String) {
        guard completed.contains(session) else { return }
        for track in groups[group]?.sharedTracks(of: session) ?? []
        where sessions[session]?.contains(where: { $0.track == track && !isRead($0, by: group) }) != true {
            groups[group]?.release(session: session, track: track)
        }
    }

    private mutating func endIfRead(_ session: String) -> [Action] {
        guard completed.contains(session), sessions[session]?.isEmpty ?? true else { return [] }
        return forget(session: session) + [.over(session: session)] + members.keys.map { .send($0, .over(session: session)) }
    }

    /// Sends all that may be sent: to every member, round after round over the sessions, within its credit.
    ///
    /// After every event all that may be sent has been. So where an event can only matter to some members, or to one log, no more
    /// than these are looked at: a long recording has thousands of logs, and as many events as packets.
    private mutating func pump() -> [Action] {
        var actions: [Action] = []
        for name in groups.keys.sorted() {
            guard let peers = groups[name]?.peers else { continue }
            for peer in peers { deliver(to: peer, of: name, &actions) }
        }
        return actions
    }

    private mutating func deliverTo(_ peers: [Peer]) -> [Action] {
        var actions: [Action] = []
        for peer in peers {
            if let name = members[peer]?.wanted.group { deliver(to: peer, of: name, &actions) }
        }
        return actions
    }

    /// After something was written to this log.
    private mutating func deliverNews(of id: LogID) -> [Action] {
        var actions: [Action] = []
        for name in groups.keys.sorted() {
            for peer in groups[name]?.peers ?? [] where members[peer]?.wanted.tracks.contains(id.track) == true {
                if members[peer]?.wanted.sharing == .everything {
                    // A new log of a session can open the others to them anew.
                    deliver(to: peer, of: name, &actions)
                } else {
                    while members[peer]?.mayReceive == true, isNext(id, for: peer, in: name), sendOne(id, to: peer, of: name, &actions) {}
                }
            }
        }
        return actions
    }

    private mutating func deliver(to peer: Peer, of group: String, _ actions: inout [Action]) {
        // A place that has become free is for the session that has waited longest, or one would be served, and others never.
        let lastTurns = groups[group]?.lastTurns ?? [:]
        let inTurn = lastTurns.isEmpty
            ? Array(sessions.keys)
            : sessions.keys.enumerated().sorted { (lastTurns[$0.element] ?? 0, $0.offset) < (lastTurns[$1.element] ?? 0, $1.offset) }.map(\.element)
        var progress = true
        while progress, members[peer]?.mayReceive == true {
            progress = false
            for session in inTurn {
                guard let id = nextLog(of: session, for: peer, in: group) else { continue }
                if sendOne(id, to: peer, of: group, &actions) { progress = true }
                if members[peer]?.mayReceive != true { return }
            }
        }
    }

    /// The log of a session that this member is to get the next message of, if any.
    private mutating func nextLog(of session: String, for peer: Peer, in group: String) -> LogID? {
        guard let member = members[peer], let ids = sessions[session] else { return nil }
        // Who reads everything gets a session's logs together, also those that its group has read while others are open:
        // a member that takes over half-way must see how each of them ended.
        let repeats = member.wanted.sharing == .everything
            && ids.contains { member.wanted.tracks.contains($0.track) && !isRead($0, by: group) }
        if member.wanted.sharing == .everything {
            return ids.first { member.wanted.tracks.contains($0.track) && isNext($0, for: peer, in: group, repeats: repeats) }
        }
        // What lies before this has been sent to the end, or read by the group: it is not looked at again with every packet.
        let start = ids.partitioningIndex { logs[$0]?.ordinal ?? 0 >= member.doneBefore[session] ?? 0 }
        var isDone = true
        for id in ids[start...] where member.wanted.tracks.contains(id.track) {
            if isNext(id, for: peer, in: group) { return id }
            isDone = isDone && (isRead(id, by: group) || isSent(id, to: peer))
            if isDone, let log = logs[id] { members[peer]?.doneBefore[session] = log.ordinal + 1 }
        }
        return nil
    }

    /// Whether this member has been sent all of a log, its end too.
    private func isSent(_ id: LogID, to peer: Peer) -> Bool {
        guard let log = logs[id], log.end != nil, let cursor = members[peer]?.cursors[id] else { return false }
        return cursor.announced && cursor.next > log.next
    }

    /// Whether this member is to get the next message of a log.
    private mutating func isNext(_ id: LogID, for peer: Peer, in group: String, repeats: Bool = false) -> Bool {
        guard let sharing = members[peer]?.wanted.sharing, repeats || !isRead(id, by: group) else { return false }
        switch sharing {
        case .everything: break
        case .sessions, .segments:
            guard groups[group]?.claim(id, for: peer, sharing: sharing, limit: settings.segmentsPerMember) == true else { return false }
        }
        return hasMore(id, for: peer)
    }

    private func hasMore(_ id: LogID, for peer: Peer) -> Bool {
        guard let log = logs[id] else { return false }
        guard let cursor = members[peer]?.cursors[id], cursor.announced else { return true }
        return cursor.next < log.next || (log.end != nil && cursor.next == log.next)
    }

    private mutating func sendOne(_ id: LogID, to peer: Peer, of group: String, _ actions: inout [Action]) -> Bool {
        guard let log = logs[id], var member = members[peer] else { return false }
        var cursor = member.cursors[id] ?? Cursor(announced: false, next: groups[group]?.acknowledged[id] ?? 0)
        let payload: Payload
        if !cursor.announced {
            // What the group has acknowledged already is not sent again, and this member must not wait for it. But the end
            // follows each announcement.
            cursor = Cursor(announced: true, next: max(log.end == nil ? cursor.next : min(cursor.next, log.next), log.first))
            payload = log.info
            actions.append(.send(peer, .info(id, first: cursor.next, payload)))
        } else if let gap = groups[group]?.shed[id], cursor.next < log.next {
            payload = gap
            actions.append(.send(peer, .entry(id, sequence: cursor.next, next: log.next, gap)))
            cursor.next = log.next
        } else if let entry = log.entry(at: cursor.next) {
            cursor.next = entry.next
            payload = entry.payload
            if groups[group]?.noteSent(id, entry.next) == false { counters.redelivered += 1 }
            actions.append(.send(peer, .entry(id, sequence: entry.sequence, next: entry.next, payload)))
        } else if let end = log.end, cursor.next >= log.next {
            payload = end
            actions.append(.send(peer, .end(id, sequence: log.next, end)))
            cursor.next = log.next + 1
        } else {
            return false
        }
        member.cursors[id] = cursor
        member.spend(payload.byteCount)
        members[peer] = member
        return true
    }
}
