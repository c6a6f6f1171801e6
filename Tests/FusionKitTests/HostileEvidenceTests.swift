import Fusion
import FusionKit
import Fuzzing
import Testing
import Wire

@Suite struct HostileEvidenceTests {
    /// Whatever evidence comes, of three sessions at once: it is taken or refused, and every session can still end.
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
            return nil
        }
        #expect(wrong == nil)
        #expect(min(taken, refused) > 500, "\(taken) taken, \(refused) refused: too few to test anything")
        #expect(FuzzRun.memoryMegabytes().now - before < 500)
    }
}
