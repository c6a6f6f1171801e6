import FusionKit
import Testing

@Suite struct RetentionTests {
    private func session(_ name: String, day: Int64, bytes: Int = 10) -> EvidenceJournal.Finished {
        .init(session: name, unixSeconds: day * 86_400, byteCount: bytes)
    }

    @Test func sessionsOlderThanTheDaysAreForgotten() {
        var retention = Retention(.init(keepDays: 3, keepBytes: 1000), finished: [session("a", day: 1), session("b", day: 2)])
        #expect(retention.expire(unixSeconds: 4 * 86_400) == .init())
        #expect(retention.expire(unixSeconds: 4 * 86_400 + 1) == .init(forgotten: ["a"]))
        #expect(retention.expire(unixSeconds: 4 * 86_400 + 1) == .init())
        #expect(retention.byteCount == 10)
    }

    @Test func whatIsTooMuchGoesOldestFirstAndKeepsItsName() {
        var retention = Retention(.init(keepDays: 3, keepBytes: 25), finished: [session("a", day: 1), session("b", day: 1)])
        retention.add(session("c", day: 1, bytes: 14))
        #expect(retention.expire(unixSeconds: 86_400) == .init(dropped: ["a"]))
        #expect(retention.byteCount == 24)
        // Its name goes by age, like any other.
        #expect(retention.expire(unixSeconds: 5 * 86_400) == .init(forgotten: ["a", "b", "c"]))
    }

    @Test func theNewestIsKeptWhateverItsSize() {
        var retention = Retention(.init(keepDays: 3, keepBytes: 25), finished: [session("a", day: 1)])
        retention.add(session("b", day: 1, bytes: 1000))
        #expect(retention.expire(unixSeconds: 86_400) == .init(dropped: ["a"]))
        #expect(retention.byteCount == 1000)
    }

    @Test func namesAreBoundedInNumber() {
        var settings = Retention.Settings(keepDays: 3, keepBytes: 1000)
        settings.maximumSessions = 2
        var retention = Retention(settings, finished: [session("a", day: 1), session("b", day: 1), session("c", day: 1)])
        #expect(retention.expire(unixSeconds: 86_400) == .init(forgotten: ["a"]))
    }

    @Test func aClockThatGoesBackDropsNothing() {
        var retention = Retention(.init(keepDays: 3, keepBytes: 1000), finished: [session("a", day: 100)])
        #expect(retention.expire(unixSeconds: 0) == .init())
    }
}
