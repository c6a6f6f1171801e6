import Fusion
import NodeKit
import Testing

@Suite struct LatencyHistogramTests {
    /// Against the sorted values themselves, by nearest rank.
    @Test(arguments: 1...20) func aPercentileIsAtMostASixteenthTooHighAndNeverTooLow(seed: UInt64) {
        var state = seed
        func random() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 1
        }
        // From nanoseconds to hours.
        let values = (0..<1000).map { _ in Int64(random() >> (16 + random() % 47)) }
        var histogram = LatencyHistogram()
        for value in values { histogram.record(nanoseconds: value) }
        let sorted = values.sorted()
        for percent in [0, 1, 10, 50, 90, 99, 99.9, 100] {
            let exact = UInt64(sorted[max(0, Int((1000 * percent / 100).rounded(.up)) - 1)])
            let told = histogram.percentile(percent) ?? 0
            #expect(told >= exact && told <= exact + exact / 16, "\(percent) % is \(exact), told \(told)")
        }
        #expect(histogram.maximumNanoseconds == UInt64(sorted.last ?? 0))
        #expect(histogram.sumNanoseconds == UInt64(values.reduce(0, +)))
    }

    @Test func twoMergedAreAsOneThatCountedAll() {
        var one = LatencyHistogram(), other = LatencyHistogram(), all = LatencyHistogram()
        for value in 0..<500 as Range<Int64> {
            if value % 3 == 0 { one.record(nanoseconds: value * value * 1_000) } else { other.record(nanoseconds: value * value * 1_000) }
            all.record(nanoseconds: value * value * 1_000)
        }
        one.merge(other)
        #expect(one == all)
    }

    @Test func extremesAreCountedAndOfNothingThereIsNoPercentile() {
        var histogram = LatencyHistogram()
        #expect(histogram.percentile(50) == nil)
        histogram.record(nanoseconds: -5)
        #expect(histogram.percentile(100) == 0, "clocks that differ")
        histogram.record(nanoseconds: .max)
        histogram.record(nanoseconds: .max)
        histogram.record(nanoseconds: .max)
        #expect(histogram.percentile(100) == UInt64(Int64.max))
        #expect(histogram.count == 4)
    }
}

@Suite struct CaptureTimesTests {
    @Test func betweenTwoMomentsItIsInterpolated() {
        var times = CaptureTimes()
        times.note(1_000, at: 100)
        times.note(3_000, at: 200)
        #expect([100, 150, 200].map { times.capture(at: $0) } == [1_000, 2_000, 3_000])
        #expect(times.capture(at: 50) == 1_000, "as old as the oldest that is known")
        #expect(times.capture(at: 900) == 3_000)
    }

    @Test func momentsMayComeInAnyOrderAndTheLaterCaptureOfOneCounts() {
        var times = CaptureTimes()
        for (capture, media) in [(300, 30), (100, 10), (200, 20), (250, 20), (150, 20)] as [(Int64, Int64)] { times.note(capture, at: media) }
        #expect([10, 15, 20, 25, 30].map { times.capture(at: $0) } == [100, 175, 250, 275, 300])
    }

    @Test func aRecordingHasNone() {
        var times = CaptureTimes()
        times.note(0, at: 100)
        #expect(times.capture(at: 100) == 0)
    }

    @Test func onlyTheLatestAreKept() {
        var times = CaptureTimes(limit: 10)
        for media in 1...1000 as ClosedRange<Int64> { times.note(media * 10, at: media) }
        #expect(times.capture(at: 991) == 9910)
        #expect(times.capture(at: 995) == 9950)
        #expect(times.capture(at: 5) >= 9890, "older ones are taken for the oldest")
    }

    @Test func numbersFromOutsideDoNotTrap() {
        var times = CaptureTimes()
        for (capture, media) in [(.max, 0), (.min, 5), (1 << 61, .min), (1, .max), (7, 0)] as [(Int64, Int64)] { times.note(capture, at: media) }
        for media in [.min, -1, 0, 1, .max] as [Int64] { #expect((0..<1 << 62).contains(times.capture(at: media))) }
    }
}

@Suite struct LatencyMeterTests {
    private func window(_ end: Int64, isFinal: Bool, revision: UInt64 = 0, lane: TimelineLane = .face) -> TimelineWindow {
        TimelineWindow(
            session: "s", lane: lane, index: 0, isFinal: isFinal, revision: revision, startNanoseconds: 0, endNanoseconds: end,
            label: .positive, probabilities: Probabilities(positive: 1, neutral: 0, negative: 0))
    }

    @Test func aWindowThatIsShownAgainAndAgainCountsWhenItFirstReachesFurther() {
        var meter = LatencyMeter()
        for (end, now) in [(100, 1_010), (100, 1_500), (200, 1_120), (150, 1_900), (200, 2_000)] as [(Int64, Int64)] {
            meter.note(window(end, isFinal: false, revision: 3), captureUnixNanoseconds: 1_000 + end - 100, nowUnixNanoseconds: now)
        }
        #expect(meter.provisional[.face]?.count == 2)
        #expect(meter.provisional[.face]?.maximumNanoseconds == 20)
        #expect(meter.final.isEmpty)
    }

    @Test func amendmentsAndRecordingsDoNotCount() {
        var meter = LatencyMeter()
        meter.note(window(100, isFinal: true, revision: 1), captureUnixNanoseconds: 1_000, nowUnixNanoseconds: 9_000_000)
        meter.note(window(100, isFinal: true), captureUnixNanoseconds: 0, nowUnixNanoseconds: 9_000_000)
        #expect(meter.final.isEmpty)
        meter.note(window(100, isFinal: true, lane: .pulse), captureUnixNanoseconds: 1_000, nowUnixNanoseconds: 1_400)
        #expect(meter.final[.pulse]?.percentile(50) == 400)
    }
}
