import StreamLog
import Testing

/// Named groups of readers keep their place, whatever dies; others leave nothing behind.
@Suite struct GroupPlaceTests {
    typealias Pub = Publisher<String, Note>
    static let tracks = ["emotion", "pulse-windows", "seconds"]

    private func log(_ track: String) -> LogID { LogID(session: "s", track: track) }

    private func publisher() -> Pub {
        var publisher = Pub(instance: "p")
        for track in Self.tracks {
            _ = publisher.open(log(track), info: Note(text: "info"))
            for number in 0..<2 as Range<UInt64> { _ = publisher.append(log(track), sequence: number, Note(text: "\(track) \(number)")) }
            _ = publisher.close(log(track), end: Note(text: "end"))
        }
        return publisher
    }

    private func subscribe(_ publisher: inout Pub, group: String, member: String, fromStart: Bool = false) -> [Pub.Action] {
        let wanted = Subscription(
            group: group, member: member, sharing: .everything, tracks: Set(Self.tracks), creditBytes: 10_000, fromStart: fromStart)
        return publisher.receive(.subscribe(wanted), from: member, now: 0)
    }

    private func sent(_ actions: [Pub.Action]) -> [String] {
        actions.compactMap { action in
            guard case .send(_, let message) = action else { return nil }
            return switch message {
            case .info(let log, let first, _): "info \(log.track)@\(first)"
            case .entry(let log, let sequence, _, _): "\(log.track) \(sequence)"
            case .end(let log, let sequence, _): "end \(log.track)@\(sequence)"
            default: nil
            }
        }
    }

    private func moved(_ actions: [Pub.Action]) -> [GroupPlace] {
        actions.compactMap { if case .moved(let place) = $0 { place } else { nil } }
    }

    @Test func aGroupResumesWhereItWasBeforeThePublisherRestarted() {
        var first = publisher()
        _ = subscribe(&first, group: "g", member: "m")
        let places = moved(first.receive(.acknowledge(log("emotion"), next: 1, resend: false), from: "m", now: 0))
        #expect(places == [GroupPlace(group: "g", log: log("emotion"), next: 1)])
        #expect(moved(first.receive(.acknowledge(log("emotion"), next: 1, resend: false), from: "m", now: 0)).isEmpty)
        var second = publisher()
        second.restore(places)
        let messages = sent(subscribe(&second, group: "g", member: "n"))
        #expect(messages.prefix(3) == ["info emotion@1", "emotion 1", "end emotion@2"])
        #expect(messages.contains("seconds 0"))
    }

    @Test func whoTakesOverBetweenTheEndsOfASessionSeesAllOfThem() {
        var publisher = publisher()
        _ = subscribe(&publisher, group: "g", member: "m")
        for track in ["emotion", "pulse-windows"] {
            _ = publisher.receive(.acknowledge(log(track), next: 3, resend: false), from: "m", now: 0)
        }
        let messages = sent(subscribe(&publisher, group: "g", member: "n"))
        #expect(messages == [
            "info emotion@2", "end emotion@2", "info pulse-windows@2", "end pulse-windows@2",
            "info seconds@0", "seconds 0", "seconds 1", "end seconds@2",
        ])
        for track in Self.tracks { _ = publisher.receive(.acknowledge(log(track), next: 3, resend: false), from: "n", now: 0) }
        #expect(sent(subscribe(&publisher, group: "g", member: "o")) == [])
    }

    @Test func aGroupThatBeginsAnewGetsEverything() {
        var publisher = publisher()
        _ = subscribe(&publisher, group: "g", member: "m")
        for track in Self.tracks { _ = publisher.receive(.acknowledge(log(track), next: 3, resend: false), from: "m", now: 0) }
        let actions = subscribe(&publisher, group: "g", member: "n", fromStart: true)
        #expect(actions.contains { if case .rewound("g") = $0 { true } else { false } })
        #expect(sent(actions).count == 12)
    }

    @Test func aGroupOfOneLeavesNothingBehind() {
        var publisher = publisher()
        _ = subscribe(&publisher, group: "m", member: "m")
        #expect(moved(publisher.receive(.acknowledge(log("emotion"), next: 3, resend: false), from: "m", now: 0)).isEmpty)
        _ = publisher.tick(now: 4)
        #expect(publisher.groupMembers().isEmpty)
        #expect(sent(subscribe(&publisher, group: "m", member: "m")).count == 12)
    }

    @Test func aRequiredGroupIsNeverForgotten() {
        var publisher = Pub(instance: "p", settings: .init(requiredGroups: ["emotion": ["fusion-node"]]))
        _ = publisher.open(log("emotion"), info: Note(text: "info"))
        _ = publisher.append(log("emotion"), sequence: 0, Note(text: "0"))
        _ = subscribe(&publisher, group: "fusion-node", member: "fusion-node")
        #expect(moved(publisher.receive(.acknowledge(log("emotion"), next: 1, resend: false), from: "fusion-node", now: 0)).isEmpty)
        _ = publisher.tick(now: 4)
        #expect(publisher.isAcknowledged(log("emotion"), before: 1))
    }

    /// Sinks of one group that are killed at any step, and a publisher that restarts from the places it had stored: the
    /// group gets every entry, and some sink sees the whole end of every session, so that `sink --exit-after` ends.
    @Test(arguments: 0..<4) func aGroupOfMortalSinksGetsEverythingAndSeesEverySessionEnd(block: Int) {
        for seed in UInt64(block * 500)..<UInt64(block * 500 + 500) {
            var world = MortalSinks(seed: seed)
            let violations = world.run()
            #expect(violations.isEmpty, "seed \(seed): \(violations)")
            if !violations.isEmpty { return }
        }
    }
}

private struct MortalSinks {
    typealias Pub = Publisher<String, Note>
    typealias Read = Reader<String, Note>

    private var random: SplitMix64
    private var now = 0.0
    private let logs: [(id: LogID, count: UInt64)]
    private var publisher = Pub(instance: "p0")
    private var publisherLife = 0
    /// What is in the journal, and what is on its way there.
    private var stored: [LogID: UInt64] = [:]
    private var unstored: [GroupPlace] = []
    private var sink: Read
    private var sinkLife = 0
    private var toPublisher: [ReaderMessage] = []
    private var toSink: [PublisherMessage<Note>] = []
    private var inbox: [Read.Delivery] = []
    private var got: [LogID: Set<UInt64>] = [:]
    /// Ends that the living sink has seen.
    private var ends: [String: Set<String>] = [:]
    private var seenToEnd: Set<String> = []

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        var all: [(LogID, UInt64)] = []
        for session in 0..<Int.random(in: 1...2, using: &random) {
            for track in GroupPlaceTests.tracks { all.append((LogID(session: "s\(session)", track: track), UInt64.random(in: 0...3, using: &random))) }
        }
        logs = all
        sink = Self.reader(0)
        write()
        startSink()
    }

    private static func reader(_ life: Int) -> Read {
        Read(subscription: Subscription(
            group: "g", member: "m\(life)", sharing: .everything, tracks: Set(GroupPlaceTests.tracks), creditBytes: 60))
    }

    mutating func run() -> [String] {
        for _ in 0..<Int.random(in: 0...300, using: &random) {
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<3: startSink()
            case 3..<5: restartPublisher()
            default: step()
            }
        }
        // From now on nobody dies.
        var patience = 5000
        while patience > 0, seenToEnd.count < Set(logs.map(\.id.session)).count {
            patience -= 1
            step()
        }
        var violations: [String] = []
        for session in Set(logs.map(\.id.session)).subtracting(seenToEnd) { violations.append("nobody saw the end of \(session)") }
        for (id, count) in logs where got[id, default: []] != Set(0..<count) { violations.append("\(id): got \(got[id] ?? []) of \(count)") }
        return violations
    }

    private mutating func step() {
        switch Int.random(in: 0..<6, using: &random) {
        case 0 where !toPublisher.isEmpty: perform(publisher.receive(toPublisher.removeFirst(), from: "m\(sinkLife)", now: now))
        case 1 where !toSink.isEmpty: perform(sink.receive(toSink.removeFirst(), from: "p", now: now))
        case 2 where !inbox.isEmpty: take(inbox.removeFirst())
        case 3 where !unstored.isEmpty:
            let place = unstored.removeFirst()
            stored[place.log] = place.next
        case 4:
            now += 0.2
            perform(publisher.tick(now: now))
            perform(sink.tick(now: now))
        default: break
        }
    }

    /// The sink prints, then acknowledges.
    private mutating func take(_ delivery: Read.Delivery) {
        switch delivery.event {
        case .info: break
        case .entry(let sequence, _): got[delivery.log, default: []].insert(sequence)
        case .end:
            ends[delivery.log.session, default: []].insert(delivery.log.track)
            if ends[delivery.log.session]?.count == GroupPlaceTests.tracks.count { seenToEnd.insert(delivery.log.session) }
        }
        perform(sink.acknowledge(delivery.log, next: delivery.next))
        perform(sink.consumed(delivery.ticket))
    }

    /// The last one is killed: what it had said may still arrive, or not.
    private mutating func startSink() {
        let arrives = Int.random(in: 0...toPublisher.count, using: &random)
        for message in toPublisher.prefix(arrives) { perform(publisher.receive(message, from: "m\(sinkLife)", now: now)) }
        sinkLife += 1
        sink = Self.reader(sinkLife)
        (toPublisher, toSink, inbox, ends) = ([], [], [], [:])
        perform(sink.subscribe(to: "p", now: now))
    }

    private mutating func restartPublisher() {
        publisherLife += 1
        publisher = Pub(instance: "p\(publisherLife)")
        publisher.restore(stored.map { GroupPlace(group: "g", log: $0.key, next: $0.value) })
        (toPublisher, toSink, unstored) = ([], [], [])
        write()
    }

    private mutating func write() {
        for (id, count) in logs {
            perform(publisher.open(id, info: Note(text: "info")))
            for number in 0..<count { perform(publisher.append(id, sequence: number, Note(text: "\(number)"))) }
            perform(publisher.close(id, end: Note(text: "end")))
        }
    }

    private mutating func perform(_ actions: [Pub.Action]) {
        for action in actions {
            switch action {
            case .send("m\(sinkLife)", let message): toSink.append(message)
            case .moved(let place): unstored.append(place)
            default: break
            }
        }
    }

    private mutating func perform(_ actions: [Read.Action]) {
        for action in actions {
            switch action {
            case .send(_, let message): toPublisher.append(message)
            case .deliver(let delivery): inbox.append(delivery)
            case .over: break
            }
        }
    }
}
