import Fusion
import FusionKit
import Fuzzing
import NodeKit
import StreamLog
import Testing
import Wire

@Suite struct HostileEvidenceTests {
    private func end(_ log: LogID) -> WireMessage {
        WireMessage(Envelope(.end, log, sequence: 1 << 40), body: Adreact_V1_End.with {
            $0.endNanoseconds = 10_000_000_000
            $0.last = true
        })
    }

    /// Evidence whose time no session can have is refused, and what is examined after it counts.
    @Test func impossibleTimesDoNotCoverAnything() throws {
        var fusion = SessionFusion(name: "a", instance: "test", settings: FusionSettings())
        let logs = ["voice", "face", "pulse"].map { LogID(session: "a", track: $0) }
        for log in logs {
            _ = try fusion.receive(WireMessage(Envelope(.info, log), body: Adreact_V1_Info.with { $0.session.id = "a" }))
            let gap = Adreact_V1_Gap.with { $0.toNanoseconds = 1 << 59 }
            #expect(throws: (any Error).self) { try fusion.receive(WireMessage(Envelope(.gap, log), body: gap)) }
            var far = Envelope(.data, log)
            far.mediaStartNanoseconds = 1 << 59
            #expect(throws: (any Error).self) { try fusion.receive(WireMessage(far, body: Adreact_V1_VoiceWindow())) }
            let end = Adreact_V1_End.with { $0.endNanoseconds = 1 << 59 }
            #expect(throws: (any Error).self) { try fusion.receive(WireMessage(Envelope(.end, log), body: end)) }
        }
        for log in logs { _ = try fusion.receive(end(log)) }
        #expect(fusion.isOver)
    }

    /// Whatever evidence comes: it is taken or refused, and the session can still be given up.
    @Test func anyEvidenceIsTakenOrRefused() {
        let before = FuzzRun.memoryMegabytes().now
        var taken = 0, refused = 0
        let wrong = FuzzRun("evidence").run { random in
            // An end far away means many rows: a minute's are enough, and quick.
            var fusion = SessionFusion(name: "a", instance: "test", settings: FusionSettings(maximumSessionNanoseconds: 60_000_000_000))
            for _ in 0..<random.below(80) {
                let sent = random.message(sessions: ["a"])
                guard let message = try? WireMessage(frames: [sent.envelopeBytes, sent.body]) else { continue }
                do {
                    let timeline = try fusion.receive(message)
                    taken += 1
                    if timeline.count > 4000 { return "\(timeline.count) messages from one" }
                    for message in timeline where (try? WireMessage(frames: [message.envelopeBytes, message.body])) == nil {
                        return "made a message that nobody reads: \(message.envelope)"
                    }
                } catch { refused += 1 }
                _ = fusion.provisional()
            }
            // No message may stand in the way of giving the session up: all of it as lost, then its end.
            for lane in ["voice", "face", "pulse"] {
                let log = LogID(session: "a", track: lane, segment: .max)
                let gap = Adreact_V1_Gap.with { $0.toNanoseconds = 60_000_000_000 }
                _ = try? fusion.receive(WireMessage(Envelope(.gap, log), body: gap))
                _ = try? fusion.receive(end(log))
            }
            return fusion.isOver ? nil : "the session does not end"
        }
        #expect(wrong == nil)
        #expect(min(taken, refused) > 500, "\(taken) taken, \(refused) refused: too few to test anything")
        #expect(FuzzRun.memoryMegabytes().now - before < 500)
    }
}
