import Foundation
import Wire
import ZeroMQTransport

/// Tells the others what this process does, and remembers what they tell: over the sockets that it has anyway.
///
/// Once a second it tells its own state to whoever bound the endpoints that it is connected to. Where it has bound an
/// endpoint itself, it answers anybody who asks there with all that it knows. Lives on the loop's thread.
package final class StatusBoard {
    /// What a node has to say beside what its ends count.
    package struct Report: Sendable {
        package var metrics = Metrics()
        package var sessions: [Adreact_V1_SessionStatus] = []

        package init() {}
    }

    static let pauseSeconds = 1.0
    /// So many are answered at each tick of the loop; more must ask again.
    static let mostAnswers = 64

    private let loop: SocketLoop
    private let node: String
    private let instance: String
    private let clock: WallClock
    private let startedUnixNanoseconds: Int64
    private let host: String
    private let rejections: Rejections
    private var publishing: [(endpoint: String, end: PublishingEnd)] = []
    private var reading: [(endpoint: String, end: ReadingEnd)] = []
    private var collection = StatusCollection()
    private var asking: Set<Peer> = []
    private var nextWord = 0.0

    /// Asked for, on the loop's thread, whenever the node's state is told.
    package var report: () -> Report = { Report() }

    package init(_ loop: SocketLoop, node: String, instance: String, clock: WallClock, rejections: Rejections) {
        self.loop = loop
        self.node = node
        self.instance = instance
        self.clock = clock
        self.rejections = rejections
        startedUnixNanoseconds = clock.unixNanoseconds
        host = Self.hostName()
        loop.addTicker { [unowned self] now in tick(now) }
    }

    package func attach(_ end: PublishingEnd, endpoint: String) {
        publishing.append((endpoint, end))
        end.aside = { [unowned self] (message, peer) throws(WireError) in try receive(message, from: peer) }
    }

    package func attach(_ end: ReadingEnd, endpoint: String) {
        reading.append((endpoint, end))
        end.aside = { [unowned self] (message, peer) throws(WireError) in try receive(message, from: peer) }
    }

    private static func hostName() -> String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func receive(_ message: WireMessage, from peer: Peer) throws(WireError) -> Bool {
        switch message.envelope.kind {
        case .statusRequest:
            if asking.count < Self.mostAnswers { asking.insert(peer) }
        case .status:
            try collection.receive(message, now: SocketLoop.now())
        default:
            return false
        }
        return true
    }

    private func tick(_ now: Double) {
        if !asking.isEmpty {
            let answer = message([own()] + collection.nodes(now: now))
            for peer in asking { loop.send([answer.envelopeBytes, answer.body], to: peer) }
            asking = []
        }
        guard now >= nextWord else { return }
        nextWord = now + Self.pauseSeconds
        let others = publishing.flatMap(\.end.peerToTell) + reading.flatMap(\.end.peerToTell)
        guard !others.isEmpty else { return }
        let word = message([own()])
        for peer in others { loop.send([word.envelopeBytes, word.body], to: peer) }
    }

    private func message(_ nodes: [Adreact_V1_NodeStatus]) -> WireMessage {
        var envelope = Envelope()
        envelope.kind = .status
        envelope.sourceInstance = instance
        envelope.publishUnixNanoseconds = clock.unixNanoseconds
        return WireMessage(envelope, body: Adreact_V1_Status.with { $0.nodes = nodes })
    }

    private func own() -> Adreact_V1_NodeStatus {
        let report = report()
        var metrics = report.metrics
        for (endpoint, end) in publishing { metrics.add(end, ["endpoint": endpoint]) }
        for (endpoint, end) in reading { metrics.add(end, ["endpoint": endpoint]) }
        for (reason, count) in rejections.counts { metrics.set(.messagesRejected, count, ["reason": reason]) }
        metrics.addProcess()
        return .with {
            $0.node = node
            $0.instance = instance
            $0.processID = UInt32(clamping: getpid())
            $0.host = host
            $0.startedUnixNanoseconds = startedUnixNanoseconds
            $0.measuredUnixNanoseconds = clock.unixNanoseconds
            $0.metrics = metrics.wire
            $0.sessions = report.sessions
            $0.readers = publishing.flatMap { readers($0.endpoint, $0.end) }
        }
    }

    /// Members of all groups; a group that must read and has no member is a reader without a name.
    private func readers(_ endpoint: String, _ end: PublishingEnd) -> [Adreact_V1_ReaderStatus] {
        let sessions = end.sessionNames
        let members = end.readers
        return end.groupNames.sorted().flatMap { group in
            let lag = sessions.reduce(Int64(0)) { max($0, end.lagNanoseconds(of: group, session: $1)) }
            let own = members.filter { $0.group == group }
            return (own.isEmpty ? [(group, "", 0)] : own).map { _, member, credit in
                Adreact_V1_ReaderStatus.with {
                    $0.endpoint = endpoint
                    $0.group = group
                    $0.member = member
                    $0.creditBytes = Int64(credit)
                    $0.lagNanoseconds = lag
                }
            }
        }
    }
}

extension Metrics {
    fileprivate mutating func add(_ end: PublishingEnd, _ labels: [String: String]) {
        set(.messagesSent, end.traffic.messages, labels)
        set(.bytesSent, end.traffic.bytes, labels)
        set(.gapsSent, end.traffic.gaps, labels)
        set(.entriesRedelivered, end.counters.redelivered, labels)
        set(.readersLost, end.counters.lostMembers, labels)
        set(.messagesDropped, end.counters.shed, labels.merging(["reason": "slow-reader"]) { $1 })
        set(.queuedBytes, end.queuedBytes, labels)
        set(.readers, end.readers.count, labels)
    }

    fileprivate mutating func add(_ end: ReadingEnd, _ labels: [String: String]) {
        set(.messagesReceived, end.traffic.messages, labels)
        set(.bytesReceived, end.traffic.bytes, labels)
        set(.gapsReceived, end.traffic.gaps, labels)
        set(.entriesDelivered, end.counters.delivered, labels)
        set(.duplicatesIgnored, end.counters.duplicates, labels)
        set(.holesFound, end.counters.holes, labels)
        set(.publisherRestarts, end.counters.publisherRestarts, labels)
        set(.messagesDropped, end.counters.refused, labels.merging(["reason": "beyond-limits"]) { $1 })
    }

    fileprivate mutating func addProcess() {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        set(.processorTime, time.tv_sec * 1_000_000_000 + time.tv_nsec)
        let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ").dropFirst().first
        if let pages = pages.flatMap({ Int($0) }) { set(.residentMemory, pages * sysconf(Int32(_SC_PAGESIZE))) }
    }
}
