import StreamLog
import Synchronization
import Testing

/// What publisher and reader tell of themselves.
@Suite struct CounterTests {
    private typealias Pub = Publisher<String, Note>
    private typealias Read = Reader<String, Note>
    private let log = LogID(session: "s", track: "video")

    private func publisher(entries: Int) -> Pub {
        var publisher = Pub(instance: "p", settings: .init(requiredGroups: ["video": ["face"]]))
        _ = publisher.open(log, info: Note(text: ""))
        for number in 0..<entries { _ = publisher.append(log, sequence: UInt64(number), Note(text: "\(number)")) }
        return publisher
    }

    private func subscription(_ member: String, credit: Int = 1000) -> ReaderMessage {
        .subscribe(Subscription(group: "face", member: member, sharing: .sessions, tracks: ["video"], creditBytes: credit))
    }

    @Test func whatASecondMemberIsSentAgainIsCounted() {
        var publisher = publisher(entries: 3)
        _ = publisher.receive(subscription("1"), from: "a", now: 0)
        #expect(publisher.counters == .init(redelivered: 0, lostMembers: 0))
        _ = publisher.receive(.acknowledge(log, next: 1, resend: false), from: "a", now: 0)
        _ = publisher.receive(subscription("2"), from: "b", now: 3)
        _ = publisher.tick(now: 3.5)
        #expect(publisher.counters == .init(redelivered: 2, lostMembers: 1), "entry 0 was acknowledged")
        _ = publisher.append(log, sequence: 3, Note(text: "new"))
        #expect(publisher.counters.redelivered == 2)
    }

    @Test func queuedBytesAreThoseThatAwaitAcknowledgement() {
        var publisher = publisher(entries: 3)
        #expect(publisher.byteCount == 33)
        _ = publisher.receive(subscription("1"), from: "a", now: 0)
        #expect(publisher.byteCount == 33, "sent is not safe")
        _ = publisher.receive(.acknowledge(log, next: 2, resend: false), from: "a", now: 0)
        #expect(publisher.byteCount == 11)
    }

    @Test func aGroupsBacklogIsFromItsOldestUnacknowledgedEntryToTheNewest() {
        var publisher = publisher(entries: 3)
        let next = LogID(session: "s", track: "video", segment: 1)
        #expect(publisher.groupNames == ["face"], "it must read, though it has no member yet")
        #expect(publisher.unacknowledged(by: "face", session: "s")?.oldest == Note(text: "0"))
        _ = publisher.receive(subscription("1", credit: 77), from: "a", now: 0)
        #expect(publisher.readers.map(\.member) == ["1"])
        #expect(publisher.readers.map(\.creditBytes) == [77 - 10 - 33], "an info of 10 bytes, three entries of 11")
        _ = publisher.receive(.acknowledge(log, next: 2, resend: false), from: "a", now: 0)
        _ = publisher.open(next, info: Note(text: ""))
        _ = publisher.append(next, sequence: 0, Note(text: "newest"))
        let backlog = publisher.unacknowledged(by: "face", session: "s")
        #expect(backlog?.oldest == Note(text: "2"))
        #expect(backlog?.newest == Note(text: "newest"))
        _ = publisher.receive(.acknowledge(log, next: 3, resend: false), from: "a", now: 0)
        _ = publisher.receive(.acknowledge(next, next: 1, resend: false), from: "a", now: 0)
        #expect(publisher.unacknowledged(by: "face", session: "s") == nil)
        #expect(publisher.unacknowledged(by: "face", session: "another") == nil)
    }

    @Test func anotherLifeOfThePublisherIsCountedOnce() {
        var reader = Read(subscription: Subscription(group: "g", member: "m", sharing: .everything, tracks: ["video"], creditBytes: 100))
        _ = reader.subscribe(to: "p", now: 0)
        for (instance, now) in [("one", 1), ("one", 2)] as [(String, Double)] { _ = reader.receive(.heartbeat(instance: instance), from: "p", now: now) }
        #expect(reader.counters.publisherRestarts == 0)
        #expect(reader.livePublishers(now: 4) == ["p"])
        #expect(reader.livePublishers(now: 6) == [])
        _ = reader.receive(.hello(instance: "two"), from: "p", now: 7)
        _ = reader.receive(.heartbeat(instance: "two"), from: "p", now: 8)
        #expect(reader.counters.publisherRestarts == 1)
        _ = reader.receive(.heartbeat(instance: "three"), from: "p", now: 9)
        _ = reader.receive(.hello(instance: "three"), from: "p", now: 9.1)
        #expect(reader.counters.publisherRestarts == 2)
    }

    @Test func anEntryThatComesTwiceIsADuplicateAndOneThatComesTooEarlyAHole() {
        var reader = Read(subscription: Subscription(group: "g", member: "m", sharing: .everything, tracks: ["video"], creditBytes: 100))
        _ = reader.receive(.info(log, first: 0, Note(text: "")), from: "p", now: 0)
        for number in [0, 0, 2, 1] as [UInt64] {
            _ = reader.receive(.entry(log, sequence: number, next: number + 1, Note(text: "")), from: "p", now: 0)
        }
        #expect(reader.counters.delivered == 3, "the info, 0 and 1")
        #expect(reader.counters.duplicates == 1)
        #expect(reader.counters.holes == 1)
    }

    /// A peer that counts how often it is looked up.
    private struct CountedPeer: Hashable, Sendable {
        static let lookups = Mutex(0)
        let name: String

        func hash(into hasher: inout Hasher) {
            Self.lookups.withLock { $0 += 1 }
            hasher.combine(name)
        }
    }

    @Test(.serialized, arguments: [Sharing.sessions, .segments]) func aPacketOfALongRecordingCostsWhatOneOfAShortOneDoes(sharing: Sharing) {
        /// Look-ups of peers in writing a packet, in granting credit and in acknowledging, beside so many logs that were sent and are still kept.
        func lookups(keptLogs: Int) -> [Int] {
            var publisher = Publisher<CountedPeer, Note>(
                instance: "p", settings: .init(requiredGroups: ["video": ["face", "absent"]], segmentsPerMember: .max))
            let peer = CountedPeer(name: "a")
            _ = publisher.receive(
                .subscribe(Subscription(group: "face", member: "1", sharing: sharing, tracks: ["video"], creditBytes: 1 << 20)), from: peer, now: 0)
            let logs = (0...UInt32(keptLogs)).map { LogID(session: "s", track: "video", segment: $0) }
            for log in logs.dropLast() {
                _ = publisher.open(log, info: Note(text: ""))
                _ = publisher.append(log, sequence: 0, Note(text: "kept"))
                _ = publisher.close(log, end: Note(text: ""))
            }
            _ = publisher.open(logs[keptLogs], info: Note(text: ""))
            // One look at all of them, after which they are passed over.
            _ = publisher.receive(.credit(bytes: 1), from: peer, now: 0)
            func counted(_ work: () -> [Publisher<CountedPeer, Note>.Action]) -> Int {
                CountedPeer.lookups.withLock { $0 = 0 }
                _ = work()
                return CountedPeer.lookups.withLock { $0 }
            }
            return [
                counted { publisher.append(logs[keptLogs], sequence: 0, Note(text: "new")) },
                counted { publisher.receive(.credit(bytes: 1), from: peer, now: 0) },
                counted { publisher.receive(.acknowledge(logs[0], next: 1, resend: false), from: peer, now: 0) }]
        }
        let few = lookups(keptLogs: 10)
        #expect(few.allSatisfy { $0 > 0 })
        #expect(lookups(keptLogs: 1000) == few)
    }
}
