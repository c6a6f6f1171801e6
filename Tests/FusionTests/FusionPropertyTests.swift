import Fusion
import Testing

/// What must hold for every session and every order of delivery. A failure prints its seed and the smallest session
/// that still fails with it; `seeds` can be narrowed to that seed to debug it.
@Suite struct FusionPropertyTests {
    static let seeds: Range<UInt64> = 0..<12_000

    @Test func `any order, batching and repetition of delivery gives the same timeline`() {
        check(seeds: Self.seeds) { scenario, random in
            let expected = Outcome(try run(scenario.inOrder(), settings: scenario.settings))
            let outcome = Outcome(try run(scenario.shuffled(&random), settings: scenario.settings))
            if let difference = firstDifference(outcome.emotion, expected.emotion) { return difference }
            if let difference = firstDifference(outcome.pulse, expected.pulse) { return difference }
            if let difference = firstDifference(outcome.rows, expected.rows) { return difference }
            if outcome.endings != expected.endings { return "endings \(outcome.endings), not \(expected.endings)" }
            return nil
        }
    }

    @Test func `the timeline is that of the reference implementation`() {
        check(seeds: Self.seeds) { scenario, random in
            let outcome = Outcome(try run(scenario.shuffled(&random), settings: scenario.settings))
            let reference = ReferenceFusion(scenario)
            return difference(outcome.emotion, reference.emotionWindows())
                ?? difference(outcome.pulse, reference.pulseWindows())
                ?? difference(outcome.rows, reference.rows())
                ?? (outcome.endings == [scenario.sessionEnd] ? nil : "endings \(outcome.endings)")
        }
    }

    @Test func `windows never overlap, content numbers count up, every second has a row`() {
        check(seeds: Self.seeds) { scenario, random in
            let outcome = Outcome(try run(scenario.shuffled(&random), settings: scenario.settings))
            for windows in [outcome.emotion, outcome.pulse] {
                if windows.contains(where: { $0.startNanoseconds >= $0.endNanoseconds }) { return "empty window" }
                if windows.contains(where: { !$0.isFinal || $0.revision != 0 }) { return "not final" }
                if windows.map(\.index) != (0..<UInt64(windows.count)).map({ $0 }) { return "content numbers" }
                for (before, after) in zip(windows, windows.dropFirst())
                where before.endNanoseconds > after.startNanoseconds {
                    return "overlap at \(after.startNanoseconds)"
                }
            }
            let seconds = (scenario.sessionEnd + 999_999_999) / 1_000_000_000
            return outcome.rows.map(\.second) == (0..<seconds).map { $0 } ? nil : "rows \(outcome.rows.map(\.second))"
        }
    }

    @Test func `a snapshot continues the final windows, and is right once all evidence is there`() {
        check(seeds: 0..<3_000) { scenario, random in
            let final = Outcome(try run(scenario.inOrder(), settings: scenario.settings))
            var fusion = FusionState(session: "property", settings: scenario.settings)
            var events: [TimelineEvent] = []
            for step in scenario.shuffled(&random) {
                events += try fusion.apply(step)
                guard random.chance(0.1) else { continue }
                let said = events.windows.filter(\.lane.isEmotion)
                let snapshot = fusion.provisional().filter(\.lane.isEmotion)
                if snapshot.contains(where: \.isFinal) { return "final in a snapshot" }
                for (before, after) in zip(said + snapshot, (said + snapshot).dropFirst())
                where before.endNanoseconds > after.startNanoseconds {
                    return "snapshot overlaps at \(after.startNanoseconds)"
                }
            }
            var complete = FusionState(session: "property", settings: scenario.settings)
            for step in scenario.inOrder() {
                switch step {
                case .voice, .face, .pulse: _ = try complete.apply(step)
                default: break
                }
            }
            let snapshot = complete.provisional()
            let bounds = { (window: TimelineWindow) in "\(window.index) \(window.marble)" }
            return snapshot.map(bounds) == (final.emotion + final.pulse).map(bounds) ? nil : "complete snapshot differs"
        }
    }

    // MARK: Running and shrinking

    private func check(
        seeds: Range<UInt64>, sourceLocation: SourceLocation = #_sourceLocation,
        _ property: (Scenario, inout Seeded) throws -> String?
    ) {
        for seed in seeds {
            var random = Seeded(seed: seed)
            let scenario = Scenario.random(&random)
            let delivery = random
            func verdict(_ scenario: Scenario) -> String? {
                var random = delivery
                do { return try property(scenario, &random) } catch { return "threw \(error)" }
            }
            guard verdict(scenario) != nil else { continue }
            let smallest = shrink(scenario) { verdict($0) != nil }
            Issue.record("seed \(seed): \(verdict(smallest) ?? "")\n\(smallest)", sourceLocation: sourceLocation)
            return
        }
    }

    /// Removes evidence, halves at first and then piece by piece, as long as the failure stays.
    private func shrink(_ scenario: Scenario, fails: (Scenario) -> Bool) -> Scenario {
        var smallest = scenario
        for candidate in [scenario].map({ var it = $0; it.losses = [:]; return it }) where fails(candidate) {
            smallest = candidate
        }
        func reduce<T>(_ path: WritableKeyPath<Scenario, [T]>) {
            var size = max(1, smallest[keyPath: path].count / 2)
            while true {
                var start = 0
                while start < smallest[keyPath: path].count {
                    var candidate = smallest
                    let end = min(start + size, candidate[keyPath: path].count)
                    candidate[keyPath: path].removeSubrange(start..<end)
                    if fails(candidate) { smallest = candidate } else { start += size }
                }
                if size == 1 { return }
                size /= 2
            }
        }
        reduce(\.face)
        reduce(\.voice)
        reduce(\.pulse)
        return smallest
    }

    private func run(_ steps: [Step], settings: FusionSettings) throws -> [TimelineEvent] {
        var fusion = FusionState(session: "property", settings: settings)
        return try steps.flatMap { try fusion.apply($0) }
    }

    private func firstDifference<T: Equatable>(_ found: [T], _ expected: [T]) -> String? {
        for position in 0..<max(found.count, expected.count) {
            let pair = (position < found.count ? found[position] : nil, position < expected.count ? expected[position] : nil)
            if pair.0 != pair.1 { return "\(pair.0.map { "\($0)" } ?? "nothing")\nnot \(pair.1.map { "\($0)" } ?? "nothing")" }
        }
        return nil
    }

    private func difference(_ windows: [TimelineWindow], _ expected: [ReferenceFusion.Window]) -> String? {
        let found = windows.map { "\($0.lane) \($0.startNanoseconds) \($0.endNanoseconds)" }
        let wanted = expected.map { "\($0.lane) \($0.start) \($0.end)" }
        if found != wanted { return "windows \(found), not \(wanted)" }
        for (window, expected) in zip(windows, expected) where !isClose(window.probabilities, expected.probabilities) {
            return "\(window.marble): \(window.probabilities), not \(expected.probabilities)"
        }
        for (window, expected) in zip(windows, expected) where window.pulse?.contradicts != expected.contradicts {
            return "\(window.marble): contradicts \("\(window.pulse as Any)"), not \("\(expected.contradicts as Any)")"
        }
        return nil
    }

    private func difference(_ rows: [SecondRow], _ expected: [ReferenceFusion.Row]) -> String? {
        guard rows.count == expected.count else { return "\(rows.count) rows, not \(expected.count)" }
        for (row, expected) in zip(rows, expected) {
            func same(_ a: Double?, _ b: Double?) -> Bool {
                a == nil ? b == nil : b.map { abs($0 - (a ?? .nan)) < 1e-9 } ?? false
            }
            func same(_ a: Probabilities?, _ b: [Double]?) -> Bool { b.map { isClose(a, $0) } ?? (a == nil) }
            guard same(row.probabilities, expected.probabilities), row.sources == expected.sources,
                same(row.faceShare, expected.faceShare), same(row.viewerShare, expected.viewerShare),
                same(row.attention, expected.attention), same(row.speechShare, expected.speechShare),
                same(row.pulse?.heartRateBPM, expected.heartRateBPM),
                same(row.pulse?.probabilities, expected.pulseProbabilities), row.contradicts == expected.contradicts
            else { return "\(row), not \(expected)" }
        }
        return nil
    }
}
