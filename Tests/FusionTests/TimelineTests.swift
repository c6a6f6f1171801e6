import Fusion
import Testing

/// A reader's view of the events.
@Suite struct TimelineTests {
    private func window(
        _ lane: TimelineLane, _ start: Int64, _ end: Int64, index: UInt64 = 0, revision: UInt64 = 0,
        isFinal: Bool = true
    ) -> TimelineWindow {
        TimelineWindow(
            session: "s", lane: lane, index: index, isFinal: isFinal, revision: revision, startNanoseconds: start,
            endNanoseconds: end, label: .neutral, probabilities: Probabilities(positive: 0, neutral: 1, negative: 0))
    }

    @Test func `repeated events change nothing`() {
        var timeline = Timeline(session: "s")
        for _ in 0..<3 { timeline.apply(.window(window(.voice, 0, 10))) }
        #expect(timeline.windows == [window(.voice, 0, 10)])
    }

    @Test func `windows are ordered by lane, then by start`() {
        let windows = [window(.pulse, 0, 5), window(.face, 30, 40), window(.fused, 10, 20), window(.voice, 20, 30)]
        let timeline = Timeline(session: "s", events: windows.map { .window($0) })
        #expect(timeline.windows.map(\.lane) == [.voice, .face, .fused, .pulse])
    }

    @Test func `a snapshot replaces the one before, and a final window what it overlaps`() {
        var timeline = Timeline(session: "s")
        timeline.apply(.window(window(.voice, 0, 10, revision: 1, isFinal: false)))
        timeline.apply(.window(window(.face, 20, 30, revision: 2, isFinal: false)))
        timeline.apply(.window(window(.pulse, 20, 30, revision: 2, isFinal: false)))
        timeline.apply(.window(window(.voice, 0, 10, revision: 1, isFinal: false)))
        #expect(timeline.provisionalWindows.map(\.lane) == [.face, .pulse])
        timeline.apply(.window(window(.voice, 25, 35)))
        #expect(timeline.provisionalWindows.map(\.lane) == [.pulse])
        #expect(timeline.windows.map(\.startNanoseconds) == [25])
        timeline.apply(.ended(endNanoseconds: 40))
        #expect(timeline.provisionalWindows.isEmpty)
        #expect(timeline.lengthNanoseconds == 40)
    }

    @Test func `amended windows and rows replace those before, whatever is repeated after`() {
        func row(_ share: Double, revision: UInt64) -> SecondRow {
            SecondRow(
                session: "s", second: 0, revision: revision, probabilities: nil, sources: [], faceShare: share,
                viewerShare: nil, attention: nil, speechShare: 0, faceCount: nil, pulse: nil, missing: [])
        }
        let before = window(.voice, 0, 10)
        let after = window(.fused, 0, 12, index: 1, revision: 1)
        let retraction = TimelineRetraction(
            session: "s", lane: .voice, index: 0, revision: 1, startNanoseconds: 0, endNanoseconds: 10)
        var timeline = Timeline(session: "s")
        for event in [.window(before), .second(row(0, revision: 0)), .retracted(retraction)] as [TimelineEvent] {
            timeline.apply(event)
        }
        #expect(timeline.windows.isEmpty)
        for event in [.window(after), .second(row(1, revision: 1)), .window(before), .second(row(0, revision: 0)),
            .retracted(retraction)] as [TimelineEvent]
        {
            timeline.apply(event)
        }
        #expect(timeline.windows == [after])
        #expect(timeline.rows == [row(1, revision: 1)])
        #expect(timeline.lengthNanoseconds == 1_000_000_000)
    }

    @Test func `a summary adds up the emotion lanes and the known heart rates`() throws {
        let summary = TimelineSummary(try OutputTests.timeline())
        #expect(summary.lengthNanoseconds == nanoseconds(12.34))
        #expect(summary.emotionNanoseconds[.positive] == nanoseconds(3.5))
        #expect(summary.emotionNanoseconds[.neutral] == nanoseconds(0.5))
        #expect(summary.emotionNanoseconds[.negative] == nanoseconds(3.75))
        #expect(summary.laneNanoseconds == [
            .voice: nanoseconds(1.75), .face: nanoseconds(2), .fused: nanoseconds(4), .pulse: nanoseconds(6),
        ])
        #expect(summary.heartRate?.meanBPM == 376.0 / 6)
        #expect(summary.heartRate?.secondCount == 6)
        #expect(summary.missingSecondCounts == [.voice: 1, .face: 1, .pulse: 1])
    }
}
