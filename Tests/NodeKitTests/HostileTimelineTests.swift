import Fusion
import Fuzzing
import NodeKit
import Testing

@Suite struct HostileTimelineTests {
    /// Whatever windows and rows a publisher sends: a reader can keep them, and write them in every format.
    @Test func anyTimelineIsReadAndWritten() {
        var events = 0
        let wrong = FuzzRun("timeline").run { random in
            var timelines = SessionTimelines()
            _ = timelines.receive(.began(SessionInfo(name: "a", sourceName: "a", durationNanoseconds: nil)))
            for _ in 0..<random.below(30) {
                let row = random.second().row(session: "a").map { TimelineEvent.second($0) }
                guard let event = random.chance(0.5) ? random.window().event(session: "a") : row else { continue }
                events += 1
                _ = timelines.receive(.event(session: "a", event))
                if case .window(let window) = event { _ = TimelineJSON.line(window) }
                if case .second(let row) = event { _ = TimelineCSV.line(row) }
            }
            guard let whole = timelines.receive(.ended(session: "a", endNanoseconds: random.time().magnitude.isMultiple(of: 2) ? 0 : 40_000_000_000, nil)) else { return "the session did not end" }
            let length = TimelineText.render(whole.timeline).utf8.count + TimelineSVG.render(whole.timeline).utf8.count
            return length > 1 << 20 ? "\(length) bytes of picture" : nil
        }
        #expect(wrong == nil)
        #expect(events > 0)  // how many, the machine decides
    }
}
