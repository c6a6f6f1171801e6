import Foundation
import Fusion
import Testing

/// The figures are worked out by hand from the formula in the documentation of `PersonalMean`.
@Suite struct PersonalBaselineTests {
    private let baseline = PersonalBaseline(
        populationMeanRelativeLogits: [0.5, 0, 0], bias: [0, 0.25, 0], shrinkageWindows: 1, mixingWindows: 3)

    private func voice(
        _ index: Int64, _ start: Double, _ end: Double, relative: [Float]?, baseline: PersonalBaseline? = nil
    ) -> VoiceEvidence {
        VoiceEvidence(
            index: index, startNanoseconds: nanoseconds(start), endNanoseconds: nanoseconds(end), logits: [1, 0, 0],
            personal: relative.map { .init(relativeLogits: $0, baseline: baseline ?? self.baseline) }, energyDBFS: -20)
    }

    private func windows(_ evidence: [VoiceEvidence], settings: FusionSettings = .init()) throws -> [TimelineWindow] {
        var fusion = FusionState(session: "s", settings: settings)
        for part in evidence { try fusion.add(part) }
        var events: [TimelineEvent] = []
        for lane in Lane.allCases {
            events += try fusion.endLane(lane, trackEndNanoseconds: nanoseconds(20), present: lane == .voice)
            if lane == .voice { events += try fusion.cover(.voice, startNanoseconds: 0, endNanoseconds: nanoseconds(20)) }
        }
        return (events + (try fusion.endSession(endNanoseconds: nanoseconds(20)))).windows
    }

    @Test func `the first window is set half against the population, half against itself, and weighs a quarter`() throws {
        // n = 1: usual = (0.5 + 2, 0, 0) / 2 = (1.25, 0, 0), own = (2 - 1.25, 0.25, 0), a = 1 / 4.
        let window = try #require(try windows([voice(0, 0, 2, relative: [2, 0, 0])]).first)
        expect(window, logits: [0.75 + 0.25 * 0.75, 0.25 * 0.25, 0])
        #expect(window.voice?.baselineWindows == 1)
    }

    @Test func `a window that overlaps counts for its new speech only`() throws {
        // The second half of the second window is new: n = 1.5, sum = (2 + 1, 0 + 0.5, 0).
        let all = try windows([voice(0, 0, 2, relative: [2, 0, 0]), voice(1, 1, 3, relative: [2, 1, 0])])
        #expect(all.count == 1)
        #expect(all.first?.voice?.baselineWindows == 1.5)
        let a = 1.5 / 4.5
        let usual = [3.5 / 2.5, 0.5 / 2.5, 0]
        let second = [(1 - a) * 1 + a * (2 - usual[0]), a * (1 - usual[1] + 0.25), 0]
        let first = [0.75 + 0.25 * 0.75, 0.25 * 0.25, 0]
        expect(try #require(all.first), logits: zip(first, second).map { ($0 + $1) / 2 })
    }

    @Test func `a window within one before it adds nothing to what is known`() throws {
        let all = try windows([voice(0, 0, 3, relative: [2, 0, 0]), voice(1, 1, 2, relative: [9, 9, 9])])
        #expect(all.first?.voice?.baselineWindows == 1)
    }

    @Test func `networks without one have none, and the switch turns it off`() throws {
        let without = try windows([voice(0, 0, 2, relative: nil)])
        let off = try windows([voice(0, 0, 2, relative: [2, 0, 0])], settings: FusionSettings(usesPersonalBaseline: false))
        #expect(without == off)
        #expect(without.first?.voice?.baselineWindows == nil)
        expect(try #require(without.first), logits: [1, 0, 0])
    }

    @Test func `lines tell of it, and only where it was used`() throws {
        let used = try windows([voice(0, 0, 2, relative: [2, 0, 0])]).map(TimelineJSON.line)
        #expect(used.first?.contains("\"baselineWindows\":1.0") == true)
        #expect(try windows([voice(0, 0, 2, relative: nil)]).map(TimelineJSON.line).first?.contains("baseline") == false)
    }

    @Test func `of several clips of one person, times begin anew with each`() {
        var person = PersonalMean()
        for relative in [[2, 0, 0], [0, 0, 2]] as [[Float]] {
            person.beginClip()
            person.add(relativeLogits: relative, startNanoseconds: 0, endNanoseconds: 10)
        }
        #expect(person.windows == 2)
        // usual = (0.5 + 2, 0, 2) / 3, a = 2 / 5.
        let logits = person.logits(plain: [0, 0, 0], relative: [1, 1, 1], baseline)
        for (logit, expected) in zip(logits, [0.4 * (1 - 2.5 / 3), 0.4 * 1.25, 0.4 * (1 - 2.0 / 3)]) {
            #expect(abs(Double(logit) - expected) < 1e-6)
        }
    }

    /// A pulse model that sets the heart rate against its mean so far: its relative logit of stress is the rate over 10.
    private func pulse(_ index: Int64, bpm: Double?, relative: [Float]? = nil) -> PulseEvidence {
        PulseEvidence(
            index: index, startNanoseconds: nanoseconds(Double(index)), endNanoseconds: nanoseconds(Double(index + 1)), heartRateBPM: bpm,
            confidence: 1, signalQuality: 1, logits: bpm == nil ? nil : [-30, 0, -1],
            personal: bpm.map {
                .init(
                    relativeLogits: relative ?? [0, 0, Float($0 / 10)],
                    baseline: PersonalBaseline(populationMeanRelativeLogits: [0, 0, 7], bias: [-30, 0, 0.5], shrinkageWindows: 0, mixingWindows: 2))
            })
    }

    private func rows(_ evidence: [PulseEvidence], settings: FusionSettings = .init()) throws -> [SecondRow] {
        var fusion = FusionState(session: "s", settings: settings)
        for clip in evidence.reversed() { try fusion.add(clip) }
        let end = nanoseconds(Double(evidence.count))
        var events = try fusion.cover(.pulse, startNanoseconds: 0, endNanoseconds: end)
        for lane in Lane.allCases { events += try fusion.endLane(lane, trackEndNanoseconds: lane == .pulse ? end : 0, present: lane == .pulse) }
        return (events + (try fusion.endSession(endNanoseconds: end))).rows
    }

    @Test func `a heart rate is set against its mean so far, seconds without one left out`() throws {
        let found = try rows([pulse(0, bpm: 60), pulse(1, bpm: nil), pulse(2, bpm: 80)])
        // n = 1: the rate is its own mean. n = 2: mean 7, a = 1 / 2.
        let expected = [softmax([-30, 0, -1 + (0.5 + 1) / 3]), nil, softmax([-30, 0, (-1 + 8 - 7 + 0.5) / 2])]
        #expect(found.count == 3)
        for (row, expected) in zip(found, expected) {
            let probabilities = row.pulse?.probabilities.map { p in Emotion.allCases.map { p[$0] } }
            #expect((probabilities == nil) == (expected == nil))
            for (probability, value) in zip(probabilities ?? [], expected ?? []) { #expect(abs(probability - value) < 1e-6) }
        }
    }

    @Test func `without a baseline such a pulse has no label, but keeps its heart rate`() throws {
        let found = try rows([pulse(0, bpm: 60), pulse(1, bpm: 80)], settings: FusionSettings(usesPersonalBaseline: false))
        #expect(found.map { $0.pulse?.probabilities } == [nil, nil])
        #expect(found.map { $0.pulse?.heartRateBPM } == [60, 80])
    }

    @Test func `relative logits of a pulse that make no sense are refused`() {
        var fusion = FusionState(session: "s")
        for relative in [[0, .nan, 0], [0], []] as [[Float]] {
            #expect(throws: FusionError.self) { try fusion.add(pulse(0, bpm: 60, relative: relative)) }
        }
    }

    @Test func `of nobody, the logits are the plain ones`() {
        #expect(PersonalMean().logits(plain: [1, 2, 3], relative: [9, 9, 9], baseline) == [1, 2, 3])
    }

    @Test(arguments: [
        PersonalBaseline(populationMeanRelativeLogits: [1, 2], bias: [0, 0, 0], shrinkageWindows: 1, mixingWindows: 1),
        PersonalBaseline(populationMeanRelativeLogits: [0, 0, .nan], bias: [0, 0, 0], shrinkageWindows: 1, mixingWindows: 1),
        PersonalBaseline(populationMeanRelativeLogits: [0, 0, 0], bias: [], shrinkageWindows: 1, mixingWindows: 1),
        PersonalBaseline(populationMeanRelativeLogits: [0, 0, 0], bias: [0, 0, 0], shrinkageWindows: -1, mixingWindows: 1),
        PersonalBaseline(populationMeanRelativeLogits: [0, 0, 0], bias: [0, 0, 0], shrinkageWindows: 1, mixingWindows: .infinity),
    ]) func `constants that make no sense are refused`(constants: PersonalBaseline) {
        var fusion = FusionState(session: "s")
        #expect(throws: FusionError.self) { try fusion.add(voice(0, 0, 1, relative: [0, 0, 0], baseline: constants)) }
        #expect(throws: FusionError.self) { try fusion.add(voice(0, 0, 1, relative: [0, .nan, 0])) }
        #expect(throws: FusionError.self) { try fusion.add(voice(0, 0, 1, relative: [0])) }
    }

    private func expect(_ window: TimelineWindow, logits: [Double], _ location: SourceLocation = #_sourceLocation) {
        let probabilities = Emotion.allCases.map { window.probabilities[$0] }
        for (probability, value) in zip(probabilities, softmax(logits)) {
            #expect(abs(probability - value) < 1e-6, sourceLocation: location)
        }
    }
}

private func softmax(_ logits: [Double]) -> [Double] {
    let exponentials = logits.map { exp($0) }
    return exponentials.map { $0 / exponentials.reduce(0, +) }
}
