import Fuzzing
import StreamLog
import Testing

/// Peers that say anything at all, in any order, to a publisher or a reader that also has an honest one.
@Suite struct HostilePeerTests {
    typealias Pub = Publisher<String, Note>
    typealias Read = Reader<String, Note>

    private func log(_ random: inout FuzzRandom) -> LogID {
        LogID(session: random.pick(["s0", "s1", random.text()]), track: random.pick(["emotion", "x"]), segment: random.chance(0.8) ? UInt32(random.below(2)) : .max)
    }

    private func readerMessage(_ random: inout FuzzRandom) -> ReaderMessage {
        switch random.below(8) {
        case 0...2:
            return .subscribe(Subscription(
                group: random.pick(["g", "h", "\(random.next())"]), member: random.pick(["m", "n", "\(random.next())", "g"]),
                sharing: random.pick([.everything, .sessions, .segments]), tracks: ["emotion", random.text()],
                creditBytes: random.pick([0, -1, .min, .max, 50, Int(truncatingIfNeeded: random.edge())]), wantsTransient: random.chance(0.3),
                fromStart: random.chance(0.3)))
        case 3: return .credit(bytes: random.pick([0, -1, .min, .max, 50, Int(truncatingIfNeeded: random.edge())]))
        case 4...6: return .acknowledge(log(&random), next: random.pick([random.edge(), UInt64(random.below(8))]), resend: random.chance(0.5))
        default: return .heartbeat
        }
    }

    @Test func aPublisherStaysWithinItsLimitsAndServesItsHonestReader() {
        let wrong = FuzzRun("publisher").run { random in
            var settings = Pub.Settings()
            settings.maximumMembers = 6
            settings.maximumGroups = 9
            var publisher = Pub(instance: "p", settings: settings)
            var honest = Read(subscription: Subscription(group: "honest", member: "h", sharing: .everything, tracks: ["emotion"], creditBytes: 80))
            var toHonest: [PublisherMessage<Note>] = [], fromHonest: [ReaderMessage] = []
            var got: [LogID: [UInt64]] = [:]
            var written: [LogID: UInt64] = [:]
            var closed: Set<LogID> = []
            var now = 0.0
            func take(_ actions: [Pub.Action]) {
                for case .send("honest", let message) in actions { toHonest.append(message) }
            }
            func take(_ actions: [Read.Action]) {
                for action in actions {
                    switch action {
                    case .send(_, let message): fromHonest.append(message)
                    case .deliver(let delivery):
                        if case .entry(let sequence, _) = delivery.event { got[delivery.log, default: []].append(sequence) }
                        take(honest.acknowledge(delivery.log, next: delivery.next))
                        take(honest.consumed(delivery.ticket))
                    case .over: break
                    }
                }
            }
            func serveHonest() {
                while !toHonest.isEmpty || !fromHonest.isEmpty {
                    if !toHonest.isEmpty { take(honest.receive(toHonest.removeFirst(), from: "p", now: now)) }
                    if !fromHonest.isEmpty { take(publisher.receive(fromHonest.removeFirst(), from: "honest", now: now)) }
                }
            }
            take(honest.subscribe(to: "p", now: now))
            for _ in 0..<random.below(200) {
                let id = LogID(session: "s\(random.below(2))", track: "emotion", segment: UInt32(random.below(2)))
                switch random.below(12) {
                case 0: take(publisher.open(id, info: Note(text: "info"))); written[id] = written[id] ?? 0
                case 1...2 where written[id] != nil && !closed.contains(id):
                    take(publisher.append(id, sequence: written[id] ?? 0, Note(text: "x")))
                    written[id]? += 1
                case 3 where written[id] != nil: take(publisher.close(id, end: Note(text: "end"))); closed.insert(id)
                case 4: serveHonest()
                case 5:
                    now += Double(random.below(20)) / 10
                    take(honest.tick(now: now))
                    serveHonest()
                    take(publisher.tick(now: now))
                case 6: take(publisher.disconnect("h\(random.below(20))"))
                default: take(publisher.receive(readerMessage(&random), from: "h\(random.below(20))", now: now))
                }
                if publisher.peers.count > 6 { return "\(publisher.peers.count) members" }
                if publisher.groupMembers().count > 9 { return "\(publisher.groupMembers().count) groups" }
            }
            // Others may have taken its place; they fall silent.
            for _ in 0..<40 {
                now += 0.4
                take(honest.tick(now: now))
                serveHonest()
                take(publisher.tick(now: now))
            }
            for (id, count) in written where got[id] ?? [] != Array(0..<count) { return "\(id): the honest reader got \(got[id] ?? []) of \(count)" }
            return nil
        }
        #expect(wrong == nil)
    }

    @Test func aReaderStaysWithinItsLimitsAndHearsItsHonestPublisher() {
        let wrong = FuzzRun("reader").run { random in
            var limits = Read.Limits()
            limits.publishers = 4
            limits.sessions = 5
            limits.logs = 8
            var reader = Read(
                subscription: Subscription(group: "g", member: "m", sharing: .everything, tracks: ["voice"], creditBytes: 100), limits: limits)
            let log = LogID(session: "honest", track: "voice")
            var expected: UInt64 = 0
            func note(_ random: inout FuzzRandom) -> Note { Note(text: random.chance(0.9) ? "x" : String(repeating: "x", count: 3000)) }
            _ = reader.receive(.info(log, first: 0, Note(text: "info")), from: "p", now: 0)
            for step in 0..<random.below(300) {
                let now = Double(step) / 20
                let id = LogID(session: random.chance(0.7) ? "s\(random.below(9))" : random.text(), track: random.text(), segment: UInt32(truncatingIfNeeded: random.edge()))
                let peer = "h\(random.below(9))"
                var actions: [Read.Action] = []
                switch random.below(10) {
                case 0:
                    let honest = reader.receive(.entry(log, sequence: expected, next: expected + 1, Note(text: "\(expected)")), from: "p", now: now)
                    guard honest.contains(where: { if case .deliver = $0 { true } else { false } }) else { return "entry \(expected) was not delivered" }
                    expected += 1
                case 1: actions = reader.receive(.info(id, first: random.edge(), note(&random)), from: peer, now: now)
                case 2...3:
                    let sequence = random.edge()
                    actions = reader.receive(.entry(id, sequence: sequence, next: random.pick([sequence &+ 1, random.edge()]), note(&random)), from: peer, now: now)
                case 4: actions = reader.receive(.end(id, sequence: random.edge(), note(&random)), from: peer, now: now)
                case 5: actions = reader.receive(random.pick([.hello(instance: random.text()), .heartbeat(instance: random.text())]), from: peer, now: now)
                case 6: actions = reader.receive(.over(session: id.session), from: peer, now: now)
                case 7: actions = reader.acknowledge(id, next: random.edge())
                case 8: reader.remove(peer)
                default: actions = reader.tick(now: now)
                }
                for case .deliver(let delivery) in actions {
                    _ = delivery.next
                    _ = reader.consumed(delivery.ticket)
                }
                if reader.rememberedLogCount > 8 { return "\(reader.rememberedLogCount) logs" }
                if reader.publisherCount > 4 { return "\(reader.publisherCount) publishers" }
            }
            return nil
        }
        #expect(wrong == nil)
    }

    @Test func whatWasRefusedForWantOfRoomIsAskedForWhenThereIsSome() {
        var limits = Read.Limits()
        limits.sessions = 1
        var reader = Read(subscription: Subscription(group: "g", member: "m", sharing: .everything, tracks: ["voice"], creditBytes: 100), limits: limits)
        func delivers(_ actions: [Read.Action]) -> Bool { actions.contains { if case .deliver = $0 { true } else { false } } }
        func subscribes(_ actions: [Read.Action]) -> Bool { actions.contains { if case .send("p", .subscribe) = $0 { true } else { false } } }
        let (a, b) = (LogID(session: "a", track: "voice"), LogID(session: "b", track: "voice"))
        #expect(delivers(reader.receive(.info(a, first: 0, Note(text: "info")), from: "p", now: 0)))
        let refused = reader.receive(.info(b, first: 0, Note(text: "info")), from: "p", now: 0)
            + reader.receive(.entry(b, sequence: 0, next: 1, Note(text: "0")), from: "p", now: 0)
        #expect(!delivers(refused))
        #expect(!refused.contains { if case .send(_, .acknowledge) = $0 { true } else { false } }, "it would come again at once")
        #expect(subscribes(reader.finish(session: "a", now: 1)))
        #expect(delivers(reader.receive(.info(b, first: 0, Note(text: "info")), from: "p", now: 1)))
        #expect(!subscribes(reader.finish(session: "b", now: 2)))
    }
}
