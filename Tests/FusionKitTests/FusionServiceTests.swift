import Foundation
import FusionKit
import NodeKit
import StreamLog
import SwiftProtobuf
import Testing
import Wire
import ZeroMQTransport

/// One session as the three nodes would send it: a second of a face, nothing heard, no pulse.
private func evidence(_ session: String) -> [WireMessage] {
    func message(_ kind: BodyKind, _ track: String, _ sequence: UInt64, _ start: Int64 = 0, _ body: any Message) -> WireMessage {
        var envelope = Envelope(kind, LogID(session: session, track: track), sequence: sequence)
        envelope.mediaStartNanoseconds = start
        return WireMessage(envelope, body: body)
    }
    let info = Adreact_V1_Info.with { $0.session.id = session }
    var all: [WireMessage] = []
    for track in ["voice", "face", "pulse"] { all.append(message(.info, track, 0, 0, info)) }
    for frame in 0..<10 as Range<Int64> {
        all.append(message(.data, "face", UInt64(frame), frame * 100_000_000, Adreact_V1_FaceFrame.with {
            $0.ptsNanoseconds = frame * 100_000_000
            $0.durationNanoseconds = 100_000_000
            $0.faceCount = 1
            $0.face.logits = [2, 0, 0]
        }))
    }
    all.append(message(.end, "face", 10, 0, Adreact_V1_End.with { $0.endNanoseconds = 1_000_000_000; $0.last = true }))
    for track in ["voice", "pulse"] { all.append(message(.end, track, 0, 0, Adreact_V1_End.with { $0.last = true })) }
    return all
}

@Suite struct SessionFusionTests {
    /// The order in which the lanes' messages arrive, each lane in its own order.
    @Test(arguments: 0..<200) func theTimelineDoesNotDependOnTheOrderOfArrival(seed: Int) throws {
        func timeline(_ messages: [WireMessage]) throws -> [[UInt8]] {
            var fusion = SessionFusion(name: "s", instance: "test", settings: .init())
            // Logs may interleave, but each has one order.
            return try messages.flatMap { try fusion.receive($0) }.sorted { ($0.envelope.track, $0.envelope.sequence) < ($1.envelope.track, $1.envelope.sequence) }
                .filter { $0.envelope.kind == .data }.map(\.body)
        }
        var lanes = Dictionary(grouping: evidence("s"), by: \.envelope.track)
        var state = UInt64(seed)
        var shuffled: [WireMessage] = []
        while let lane = lanes.keys.sorted().filter({ lanes[$0]?.isEmpty == false }).randomElement(seededBy: &state) {
            shuffled.append(lanes[lane, default: []].removeFirst())
        }
        #expect(try timeline(shuffled) == timeline(evidence("s")))
        #expect(try timeline(shuffled).count == 2, "one face window, one second")
    }
}

extension Array {
    fileprivate func randomElement(seededBy state: inout UInt64) -> Element? {
        guard !isEmpty else { return nil }
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return self[Int(state >> 33) % count]
    }
}

@Suite struct EvidenceJournalTests {
    private func temporary() -> String { NSTemporaryDirectory() + "/adreact-journal-\(UInt64.random(in: .min ... .max)).sqlite" }

    @Test func whatWasStoredIsThereAgain() throws {
        let path = temporary()
        defer { for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) } }
        let messages = evidence("a")
        try EvidenceJournal(path: path).store(messages.map { ($0, $0.envelope.sequence + 1) })
        let journal = try EvidenceJournal(path: path)
        var read: [WireMessage] = []
        try journal.forEachEvidence { read.append($0) }
        #expect(read.map(\.envelope) == messages.map(\.envelope))
        #expect(read.map(\.body) == messages.map(\.body))
        let positions = Dictionary(uniqueKeysWithValues: try journal.positions().map { ($0.0.track, $0.next) })
        #expect(positions == ["voice": 1, "face": 11, "pulse": 1])
    }

    @Test func aFinishedSessionLeavesItsTimelineAndNotItsEvidence() throws {
        let journal = try EvidenceJournal(path: nil)
        try journal.store(evidence("a").map { ($0, 1) } + evidence("b").map { ($0, 1) })
        try journal.finish(session: "a", timeline: [WireMessage(Envelope(.info, LogID(session: "a", track: "emotion")))])
        var open: Set<String> = [], finished: Set<String> = []
        try journal.forEachEvidence { open.insert($0.envelope.session) }
        try journal.forEachTimelineMessage { finished.insert($0.envelope.session) }
        #expect(open == ["b"])
        #expect(finished == ["a"])
    }

    @Test func aFolderThatCannotBeWrittenIsSaid() {
        #expect(throws: SessionFailure.self) { try EvidenceJournal(path: "/proc/nowhere/journal.sqlite") }
    }
}
