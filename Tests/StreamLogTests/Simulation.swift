import StreamLog

/// A payload that is its own content.
struct Note: LogPayload, Equatable {
    let text: String
    var byteCount: Int { 10 + text.utf8.count }
}

struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// A publisher and the readers of one or two groups, on a network that reorders across connections, loses what was in
/// flight when an end dies, and lets any of them die and come back at any moment. Virtual time, one seed.
struct Simulation {
    typealias Pub = Publisher<String, Note>
    typealias Read = Reader<String, Note>

    /// A reader process: what it has made safe survives its death, the rest does not.
    struct ReaderProcess {
        let group: String
        let sharing: Sharing
        let name: String
        var life = 0
        var machine: Read
        var undurable: [(LogID, UInt64, Read.Ticket)] = []
        var isAlive = true
    }

    private(set) var random: SplitMix64
    private var now = 0.0
    private let content: [(id: LogID, entries: [String])]
    private var publisher: Pub
    private var publisherLife = 0
    /// The order in which the source writes, and how far this life of the publisher has come.
    private var script: [(Int, Int)]
    private var written = 0
    private var readers: [ReaderProcess]
    /// Safe storage by group: what was delivered, by log and number.
    private(set) var stored: [String: [LogID: [UInt64: String]]] = [:]
    private(set) var violations: [String] = []
    private var toPublisher: [String: [ReaderMessage]] = [:]
    private var toReader: [String: [PublisherMessage<Note>]] = [:]

    static let groups = ["face", "pulse"]

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        let sessions = Int.random(in: 1...3, using: &random), segments = Int.random(in: 1...4, using: &random)
        var logs: [(LogID, [String])] = []
        for session in 0..<sessions {
            for segment in 0..<segments {
                let count = Int.random(in: 0...5, using: &random)
                let id = LogID(session: "s\(session)", track: "video", segment: UInt32(segment))
                logs.append((id, (0..<count).map { "\(id)/\($0)" }))
            }
        }
        content = logs
        // Sessions are written side by side, each in order: -1 opens, n closes.
        var queues = (0..<sessions).map { session in
            (0..<segments).flatMap { segment in
                let log = session * segments + segment
                return (-1...logs[log].1.count).map { (log, $0) }
            }
        }
        script = []
        while queues.contains(where: { !$0.isEmpty }) {
            let pick = Int.random(in: 0..<sessions, using: &random)
            if !queues[pick].isEmpty { script.append(queues[pick].removeFirst()) }
        }
        publisher = Pub(instance: "p0", settings: Self.settings)
        readers = []
        for group in Self.groups {
            let sharing: Sharing = group == "face" ? .segments : .sessions
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                readers.append(ReaderProcess(group: group, sharing: sharing, name: "", machine: Self.reader(group, "", sharing)))
            }
        }
        for index in readers.indices { restart(index, born: true) }
    }

    static var settings: Pub.Settings { .init(requiredGroups: ["video": Set(groups)], livenessSeconds: 3) }

    static func reader(_ group: String, _ member: String, _ sharing: Sharing) -> Read {
        Read(subscription: Subscription(group: group, member: member, sharing: sharing, tracks: ["video"], creditBytes: 60))
    }

    /// `disturbances`: how often something dies, of a thousand steps.
    mutating func run(steps: Int, disturbances: Int) {
        for _ in 0..<steps {
            if Int.random(in: 0..<1000, using: &random) < disturbances { disturb() } else { step() }
        }
        // From now on nothing dies: everything must come through.
        for index in readers.indices where !readers[index].isAlive { restart(index) }
        var quiet = 0
        var patience = 50_000
        while quiet < 400, patience > 0, !(publisher.isDone && written == script.count) {
            patience -= 1
            if toPublisher.values.allSatisfy(\.isEmpty), toReader.values.allSatisfy(\.isEmpty), written == script.count, readers.allSatisfy(\.undurable.isEmpty) {
                quiet += 1
                now += 0.5
                tick()
            } else {
                step()
            }
        }
        if patience == 0 {
            let waiting = toReader.mapValues(\.count).filter { $0.value > 0 }
            violations.append("does not come to rest: \(written) of \(script.count) written, \(waiting) on their way")
        }
        if !publisher.isDone { violations.append("the publisher still waits for acknowledgements") }
        if publisher.rememberedLogCount > 0 { violations.append("\(publisher.rememberedLogCount) logs of sessions that are over are remembered") }
        for group in Self.groups {
            for (id, entries) in content {
                let got = stored[group]?[id] ?? [:]
                let all = (0..<entries.count).map { got[UInt64($0)] }
                if all != entries.map(Optional.some) || got.count != entries.count {
                    violations.append("\(group) has \(got.sorted { $0.key < $1.key }.map(\.value)) of \(id), not \(entries)")
                }
            }
        }
    }

    // MARK: -

    private mutating func step() {
        switch Int.random(in: 0..<10, using: &random) {
        case 0...1: write()
        case 2...4: deliverToPublisher()
        case 5...7: deliverToReader()
        case 8: store()
        default:
            now += Double.random(in: 0...0.3, using: &random)
            tick()
        }
    }

    private mutating func disturb() {
        let pick = Int.random(in: 0...readers.count, using: &random)
        if pick == readers.count { return restartPublisher() }
        if readers[pick].isAlive {
            readers[pick].isAlive = false
            toPublisher[readers[pick].name] = []
            toReader[readers[pick].name] = []
        } else {
            restart(pick)
        }
    }

    private mutating func restart(_ index: Int, born: Bool = false) {
        let old = readers[index]
        let life = born ? 0 : old.life + 1
        let name = "\(old.group)#\(index).\(life)"
        readers[index] = ReaderProcess(
            group: old.group, sharing: old.sharing, name: name, life: life, machine: Self.reader(old.group, name, old.sharing))
        handle(readers[index].machine.subscribe(to: "publisher", now: now), of: index)
    }

    private mutating func restartPublisher() {
        publisherLife += 1
        publisher = Pub(instance: "p\(publisherLife)", settings: Self.settings)
        written = 0
        toPublisher = [:]
        toReader = [:]
    }

    private mutating func write() {
        guard written < script.count else { return }
        let (log, place) = script[written]
        written += 1
        let (id, entries) = content[log]
        switch place {
        case -1: handle(publisher.open(id, info: Note(text: "info")))
        case entries.count:
            handle(publisher.close(id, end: Note(text: "end")))
            let isLast = !content[(log + 1)...].contains { $0.id.session == id.session }
            if isLast { handle(publisher.complete(session: id.session)) }
        default: handle(publisher.append(id, sequence: UInt64(place), Note(text: entries[place])))
        }
    }

    private mutating func tick() {
        handle(publisher.tick(now: now))
        for peer in publisher.peers where toReader[peer]?.isEmpty ?? true { toReader[peer] = [.heartbeat(instance: "p\(publisherLife)")] }
        for index in readers.indices where readers[index].isAlive { handle(readers[index].machine.tick(now: now), of: index) }
    }

    private mutating func deliverToPublisher() {
        guard let peer = toPublisher.filter({ !$0.value.isEmpty }).keys.sorted().randomElement(using: &random) else { return }
        guard let message = toPublisher[peer]?.removeFirst() else { return }
        handle(publisher.receive(message, from: peer, now: now))
    }

    private mutating func deliverToReader() {
        guard let peer = toReader.filter({ !$0.value.isEmpty }).keys.sorted().randomElement(using: &random) else { return }
        guard let message = toReader[peer]?.removeFirst(), let index = readers.firstIndex(where: { $0.name == peer && $0.isAlive }) else { return }
        handle(readers[index].machine.receive(message, from: "publisher", now: now), of: index)
    }

    /// One reader makes some of what it got safe, in order.
    private mutating func store() {
        guard let index = readers.indices.filter({ readers[$0].isAlive && !readers[$0].undurable.isEmpty }).randomElement(using: &random) else { return }
        let count = Int.random(in: 1...readers[index].undurable.count, using: &random)
        for _ in 0..<count {
            let (log, next, ticket) = readers[index].undurable.removeFirst()
            handle(readers[index].machine.acknowledge(log, next: next), of: index)
            handle(readers[index].machine.consumed(ticket), of: index)
        }
    }

    private mutating func handle(_ actions: [Pub.Action]) {
        for case .send(let peer, let message) in actions { toReader[peer, default: []].append(message) }
    }

    private mutating func handle(_ actions: [Read.Action], of index: Int) {
        for action in actions {
            switch action {
            case .send(_, let message): toPublisher[readers[index].name, default: []].append(message)
            case .over: break
            case .deliver(let delivery):
                readers[index].undurable.append((delivery.log, delivery.next, delivery.ticket))
                guard case .entry(let sequence, _) = delivery.event else { continue }
                let group = readers[index].group
                let known = stored[group]?[delivery.log]?[sequence]
                if let known, known != delivery.payload.text { violations.append("two contents of \(delivery.log)/\(sequence)") }
                stored[group, default: [:]][delivery.log, default: [:]][sequence] = delivery.payload.text
            }
        }
    }
}
