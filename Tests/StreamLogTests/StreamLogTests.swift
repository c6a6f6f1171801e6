import StreamLog
import Testing

@Suite struct PublisherTests {
    typealias Pub = Publisher<String, Note>
    let log = LogID(session: "s", track: "video")

    func sent(_ actions: [Pub.Action], to peer: String) -> [String] {
        actions.compactMap { action in
            guard case .send(peer, let message) = action else { return nil }
            return switch message {
            case .info(let id, let first, _): "info \(id.session)/\(id.segment)@\(first)"
            case .entry(let id, let sequence, _, _): "\(id.session)/\(id.segment):\(sequence)"
            case .end(let id, let sequence, _): "end \(id.session)/\(id.segment)@\(sequence)"
            case .hello: "hello"
            case .heartbeat: "heartbeat"
            case .over(let session): "over \(session)"
            }
        }
    }

    func subscription(_ group: String = "g", _ member: String = "m", _ sharing: Sharing = .everything, credit: Int = 10_000) -> ReaderMessage {
        .subscribe(Subscription(group: group, member: member, sharing: sharing, tracks: ["video"], creditBytes: credit))
    }

    @Test func aReaderThatComesLateGetsTheLogFromItsBeginning() {
        var publisher = Pub(instance: "p")
        _ = publisher.open(log, info: Note(text: ""))
        for number in 0..<3 { _ = publisher.append(log, sequence: UInt64(number), Note(text: "\(number)")) }
        _ = publisher.close(log, end: Note(text: ""))
        #expect(sent(publisher.receive(subscription(), from: "a", now: 0), to: "a") == ["info s/0@0", "s/0:0", "s/0:1", "s/0:2", "end s/0@3"])
    }

    @Test func nothingIsSentBeyondTheCredit() {
        var publisher = Pub(instance: "p")
        _ = publisher.open(log, info: Note(text: ""))
        for number in 0..<10 { _ = publisher.append(log, sequence: UInt64(number), Note(text: "123456")) }
        // 10 for the info, 16 each: the third message overdraws the account, and closes it.
        #expect(sent(publisher.receive(subscription(credit: 30), from: "a", now: 0), to: "a") == ["info s/0@0", "s/0:0", "s/0:1"])
        #expect(sent(publisher.receive(.credit(bytes: 13), from: "a", now: 0), to: "a") == ["s/0:2"])
        #expect(sent(publisher.receive(.credit(bytes: -5), from: "a", now: 0), to: "a") == [])
        #expect(sent(publisher.receive(.credit(bytes: .max), from: "a", now: 0), to: "a").count == 7)
        #expect(sent(publisher.receive(.credit(bytes: .max), from: "a", now: 0), to: "a") == [])
    }

    @Test func anEntryIsKeptUntilEveryRequiredGroupHasIt() {
        var publisher = Pub(instance: "p", settings: .init(requiredGroups: ["video": ["face", "pulse"]]))
        _ = publisher.open(log, info: Note(text: ""))
        _ = publisher.append(log, sequence: 0, Note(text: "0"))
        _ = publisher.close(log, end: Note(text: ""))
        _ = publisher.receive(subscription("face", "f"), from: "f", now: 0)
        _ = publisher.receive(.acknowledge(log, next: 2, resend: false), from: "f", now: 0)
        #expect(publisher.byteCount(session: "s") == 11)
        #expect(!publisher.isDone)
        #expect(sent(publisher.receive(subscription("pulse", "p"), from: "p", now: 0), to: "p").count == 3)
        _ = publisher.receive(.acknowledge(log, next: 2, resend: false), from: "p", now: 0)
        #expect(publisher.isDone)
        #expect(sent(publisher.receive(subscription("pulse", "p"), from: "p", now: 0), to: "p") == [])
    }

    @Test func aStrangerIsAskedToSubscribe() {
        var publisher = Pub(instance: "p")
        #expect(sent(publisher.receive(.heartbeat, from: "a", now: 0), to: "a") == ["hello"])
        #expect(sent(publisher.receive(.credit(bytes: 1), from: "a", now: 0), to: "a") == [])
    }

    @Test func theWorkOfASilentMemberGoesToAnother() {
        var publisher = Pub(instance: "p", settings: .init(requiredGroups: ["video": ["face"]], livenessSeconds: 3))
        _ = publisher.receive(subscription("face", "1", .sessions), from: "a", now: 0)
        _ = publisher.receive(subscription("face", "2", .sessions), from: "b", now: 0)
        #expect(sent(publisher.open(log, info: Note(text: "")), to: "a") == ["info s/0@0"])
        #expect(sent(publisher.append(log, sequence: 0, Note(text: "0")), to: "b") == [])
        _ = publisher.receive(.heartbeat, from: "b", now: 3)
        #expect(sent(publisher.tick(now: 3.1), to: "b") == ["info s/0@0", "s/0:0"])
    }

    @Test func segmentsAreSpreadOverTheMembers() {
        var publisher = Pub(instance: "p", settings: .init(requiredGroups: ["video": ["face"]], segmentsPerMember: 1))
        for member in ["a", "b"] { _ = publisher.receive(subscription("face", member, .segments), from: member, now: 0) }
        var actions: [Pub.Action] = []
        for segment in 0..<3 as Range<UInt32> {
            let id = LogID(session: "s", track: "video", segment: segment)
            actions += publisher.open(id, info: Note(text: ""))
            actions += publisher.close(id, end: Note(text: ""))
        }
        #expect(sent(actions, to: "a") == ["info s/0@0", "end s/0@0"])
        #expect(sent(actions, to: "b") == ["info s/1@0", "end s/1@0"])
        let more = publisher.receive(.acknowledge(LogID(session: "s", track: "video", segment: 1), next: 1, resend: false), from: "b", now: 0)
        #expect(sent(more, to: "b") == ["info s/2@0", "end s/2@0"])
    }

    @Test func aGroupThatLagsDoesWithoutALogAndIsToldSo() {
        var publisher = Pub(instance: "p", settings: .init(requiredGroups: ["video": ["face", "pulse"]]))
        _ = publisher.receive(subscription("pulse", "p"), from: "p", now: 0)
        for segment in 0..<2 as Range<UInt32> {
            let id = LogID(session: "s", track: "video", segment: segment)
            _ = publisher.open(id, info: Note(text: ""))
            for number in 0..<3 { _ = publisher.append(id, sequence: UInt64(number), Note(text: "\(number)")) }
            _ = publisher.close(id, end: Note(text: ""))
            _ = publisher.receive(.acknowledge(id, next: 4, resend: false), from: "p", now: 0)
        }
        let backlog = publisher.backlog(session: "s", track: "video", group: "face")
        #expect(backlog.map(\.log.segment) == [0, 1] && backlog.map(\.bytes) == [33, 33] && backlog.map(\.next) == [3, 3])
        #expect(publisher.backlog(session: "s", track: "video", group: "pulse").isEmpty)
        var released = 0
        for case .released(_, let bytes) in publisher.shed(log, for: "face", gap: Note(text: "gap")) { released += bytes }
        // The other group has it already: nobody needs the entries any more.
        #expect(released == 33 && publisher.byteCount(session: "s") == 33)
        #expect(publisher.backlog(session: "s", track: "video", group: "face").map(\.log.segment) == [1])
        let actions = publisher.receive(subscription("face", "f"), from: "f", now: 0)
        #expect(sent(actions, to: "f") == ["info s/0@0", "s/0:0", "end s/0@3", "info s/1@0", "s/1:0", "s/1:1", "s/1:2", "end s/1@3"])
        let texts = actions.compactMap { if case .send("f", .entry(_, _, _, let note)) = $0 { note.text } else { nil } }
        #expect(texts == ["gap", "0", "1", "2"])
        for segment in 0..<2 as Range<UInt32> {
            let id = LogID(session: "s", track: "video", segment: segment)
            _ = publisher.receive(.acknowledge(id, next: 4, resend: false), from: "f", now: 0)
        }
        #expect(publisher.isDone)
    }

    @Test func everySessionHasItsTurn() {
        var publisher = Pub(instance: "p", settings: .init(requiredGroups: ["video": ["face"]]))
        _ = publisher.receive(subscription("face", "f", .segments), from: "f", now: 0)
        var began: [String] = []
        func open(_ session: String, _ segment: UInt32) {
            let id = LogID(session: session, track: "video", segment: segment)
            began += sent(publisher.open(id, info: Note(text: "")) + publisher.close(id, end: Note(text: "")), to: "f").filter { $0.hasPrefix("info") }
        }
        for segment: UInt32 in 0..<2 { for session in ["a", "b", "c"] { open(session, segment) } }
        #expect(began == ["info a/0@0", "info b/0@0"], "two places")
        let first = LogID(session: "a", track: "video", segment: 0)
        began = sent(publisher.receive(.acknowledge(first, next: 1, resend: false), from: "f", now: 0), to: "f").filter { $0.hasPrefix("info") }
        #expect(began == ["info c/0@0"], "not the next of a, which has had its turn")
    }

    @Test func readersStarveOnlyWhenNoneOfThemHasMoreToRead() {
        var publisher = Pub(instance: "p", settings: .init(requiredGroups: ["video": ["face"], "audio": ["voice"]]))
        let sound = LogID(session: "s", track: "audio")
        for log in [log, sound] { _ = publisher.open(log, info: Note(text: "")) }
        for number in 0..<5 { _ = publisher.append(log, sequence: UInt64(number), Note(text: "123456")) }
        _ = publisher.append(sound, sequence: 0, Note(text: "1"))
        _ = publisher.receive(.subscribe(Subscription(group: "voice", member: "v", sharing: .everything, tracks: ["audio"], creditBytes: 1000)), from: "v", now: 0)
        #expect(!publisher.isStarving(session: "s"), "the group for pictures is away")
        _ = publisher.receive(subscription("face", "f", credit: 30), from: "f", now: 0)
        #expect(!publisher.isStarving(session: "s"), "it has been sent two pictures of five")
        _ = publisher.receive(.credit(bytes: 1000), from: "f", now: 0)
        #expect(publisher.isStarving(session: "s"))
        for (log, peer) in [(log, "f"), (sound, "v")] {
            _ = publisher.close(log, end: Note(text: ""))
            _ = publisher.receive(.acknowledge(log, next: 6, resend: false), from: peer, now: 0)
        }
        #expect(!publisher.isStarving(session: "s"), "everything was read")
    }

    @Test func whatAMemberHasBegunIsNotTakenFromIt() {
        var publisher = Pub(instance: "p", settings: .init(requiredGroups: ["video": ["face"]], livenessSeconds: 3))
        _ = publisher.receive(subscription("face", "f"), from: "f", now: 0)
        _ = publisher.open(log, info: Note(text: ""))
        _ = publisher.close(log, end: Note(text: ""))
        #expect(publisher.backlog(session: "s", track: "video", group: "face").isEmpty)
        _ = publisher.tick(now: 4)
        #expect(publisher.backlog(session: "s", track: "video", group: "face").count == 1)
    }

    @Test func aSessionThatEveryGroupHasReadIsOverAndForgotten() {
        var publisher = Pub(instance: "p", settings: .init(requiredGroups: ["video": ["face"]]))
        _ = publisher.receive(subscription("face", "1", .sessions), from: "a", now: 0)
        _ = publisher.open(log, info: Note(text: ""))
        _ = publisher.close(log, end: Note(text: ""))
        #expect(sent(publisher.receive(.acknowledge(log, next: 1, resend: false), from: "a", now: 0), to: "a") == [])
        // Further segments may come, until it is said that none will.
        #expect(publisher.rememberedLogCount == 1)
        #expect(sent(publisher.complete(session: "s"), to: "a") == ["over s"])
        #expect(publisher.rememberedLogCount == 0)
    }

    @Test func whoHasReadASessionHasRoomForTheNext() {
        var publisher = Pub(instance: "p", settings: .init(requiredGroups: ["video": ["face"]]))
        for member in ["a", "b"] { _ = publisher.receive(subscription("face", member, .sessions), from: member, now: 0) }
        func session(_ name: String) -> [Pub.Action] {
            let id = LogID(session: name, track: "video")
            return publisher.open(id, info: Note(text: "")) + publisher.close(id, end: Note(text: "")) + publisher.complete(session: name)
        }
        #expect(sent(session("1"), to: "a").first == "info 1/0@0")
        #expect(sent(session("2"), to: "b").first == "info 2/0@0")
        _ = publisher.receive(.acknowledge(LogID(session: "2", track: "video"), next: 1, resend: false), from: "b", now: 0)
        // "a" still has work, "b" has none: both next ones would go to "b" if what it finished did not count, one if it did.
        #expect(sent(session("3"), to: "b").first == "info 3/0@0")
        _ = publisher.receive(.acknowledge(LogID(session: "3", track: "video"), next: 1, resend: false), from: "b", now: 0)
        #expect(sent(session("4"), to: "b").first == "info 4/0@0")
    }
}

@Suite struct ReaderTests {
    typealias Read = Reader<String, Note>
    let log = LogID(session: "s", track: "voice")
    let subscription = Subscription(group: "g", member: "m", sharing: .everything, tracks: ["voice"], creditBytes: 100)

    func delivered(_ actions: [Read.Action]) -> [String] {
        actions.compactMap { if case .deliver(let delivery) = $0 { delivery.payload.text } else { nil } }
    }

    @Test func whatComesTwiceIsDeliveredOnce() {
        var reader = Read(subscription: subscription)
        _ = reader.subscribe(to: "p", now: 0)
        _ = reader.receive(.info(log, first: 0, Note(text: "info")), from: "p", now: 0)
        #expect(delivered(reader.receive(.entry(log, sequence: 0, next: 1, Note(text: "0")), from: "p", now: 0)) == ["0"])
        #expect(delivered(reader.receive(.entry(log, sequence: 0, next: 1, Note(text: "0")), from: "p", now: 0)) == [])
        // Another publisher takes over, and begins anew.
        #expect(delivered(reader.receive(.info(log, first: 0, Note(text: "info")), from: "q", now: 0)) == [])
        #expect(delivered(reader.receive(.entry(log, sequence: 0, next: 1, Note(text: "0")), from: "q", now: 0)) == [])
        #expect(delivered(reader.receive(.entry(log, sequence: 1, next: 2, Note(text: "1")), from: "q", now: 0)) == ["1"])
        #expect(reader.counters.duplicates == 2)
    }

    @Test func aHoleIsAskedForOnceAndNotDelivered() {
        var reader = Read(subscription: subscription)
        _ = reader.subscribe(to: "p", now: 0)
        _ = reader.receive(.info(log, first: 0, Note(text: "info")), from: "p", now: 0)
        var resends = 0
        for sequence in 2...4 as ClosedRange<UInt64> {
            for action in reader.receive(.entry(log, sequence: sequence, next: sequence + 1, Note(text: "")), from: "p", now: 0) {
                if case .send(_, .acknowledge(_, _, resend: true)) = action { resends += 1 }
                if case .deliver = action { Issue.record("delivered past a hole") }
            }
        }
        #expect(resends == 1)
    }

    @Test func whatAnEarlierLifeMadeSafeIsNotDeliveredAgain() {
        var reader = Read(subscription: subscription)
        reader.restore(log, next: 2)
        let answers = reader.receive(.info(log, first: 0, Note(text: "info")), from: "p", now: 0)
        #expect(answers.contains { if case .send("p", .acknowledge(log, next: 2, resend: false)) = $0 { true } else { false } })
        #expect(delivered(reader.receive(.entry(log, sequence: 1, next: 2, Note(text: "1")), from: "p", now: 0)) == [])
        #expect(delivered(reader.receive(.entry(log, sequence: 2, next: 3, Note(text: "2")), from: "p", now: 0)) == ["2"])
    }

    @Test func whatComesOfASessionThatIsOverIsAcknowledgedUnread() {
        var reader = Read(subscription: subscription)
        _ = reader.receive(.info(log, first: 0, Note(text: "info")), from: "p", now: 0)
        _ = reader.receive(.over(session: "s"), from: "p", now: 0)
        // The publisher has died, and begins again from the start.
        let answers = reader.receive(.info(log, first: 0, Note(text: "info")), from: "q", now: 0)
        #expect(delivered(answers) == [])
        #expect(answers.contains { if case .send("q", .acknowledge(log, next: .max, resend: false)) = $0 { true } else { false } })
    }

    @Test func numbersAtTheEndOfTheirRangeDoNoHarm() {
        var reader = Read(subscription: subscription)
        _ = reader.receive(.info(log, first: 0, Note(text: "info")), from: "p", now: 0)
        #expect(delivered(reader.receive(.end(log, sequence: .max, Note(text: "end")), from: "p", now: 0)) == [])
        #expect(delivered(reader.receive(.entry(log, sequence: 5, next: 5, Note(text: "x")), from: "p", now: 0)) == [])
    }
}

@Suite struct DeliveryPropertyTests {
    @Test(arguments: 0..<10) func everyGroupGetsEveryEntryWhateverDies(block: Int) {
        for seed in UInt64(block * 1000)..<UInt64(block * 1000 + 1000) {
            var simulation = Simulation(seed: seed)
            simulation.run(steps: 400, disturbances: Int(seed % 5) * 10)
            #expect(simulation.violations.isEmpty, "seed \(seed): \(simulation.violations)")
            if !simulation.violations.isEmpty { return }
        }
    }
}
