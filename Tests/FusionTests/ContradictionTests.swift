import Fusion
import Testing

/// When the pulse is said to contradict the emotion, and when nothing is said.
@Suite struct ContradictionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var voice: [String] = []
        var frames = ""
        let pulse: String
        var quality = 0.75
        /// Of the first pulse window.
        let window: Bool?
        /// Of each second.
        let seconds: [Bool?]

        init(
            _ name: String, voice: [String] = [], frames: String = "", pulse: String, quality: Double = 0.75, window: Bool?,
            seconds: [Bool?]
        ) {
            testDescription = name
            self.voice = voice
            self.frames = frames
            self.pulse = pulse
            self.quality = quality
            self.window = window
            self.seconds = seconds
        }
    }

    @Test(arguments: [
        Case("stress under a positive voice", voice: ["+ 0-3"], pulse: "---", window: true, seconds: [true, true, true]),
        Case("stress under a neutral voice is none", voice: ["o 0-3"], pulse: "---", window: false, seconds: [false, false, false]),
        Case("stress under a negative voice is none", voice: ["- 0-3"], pulse: "---", window: false, seconds: [false, false, false]),
        Case("rest under a negative voice is none", voice: ["- 0-3"], pulse: "ooo", window: false, seconds: [false, false, false]),
        Case("rest under a positive voice is none", voice: ["+ 0-3"], pulse: "ooo", window: false, seconds: [false, false, false]),
        Case("without emotion nothing is said", pulse: "---", window: nil, seconds: [nil, nil, nil]),
        Case("a poor wave says nothing", voice: ["+ 0-3"], pulse: "---", quality: 0.49, window: nil, seconds: [nil, nil, nil]),
        Case("less than 3 s says nothing but of its seconds", voice: ["+ 0-3"], pulse: "--", window: nil, seconds: [true, true, nil]),
        Case("half of the judged time is enough", voice: ["+ 0-2", "- 2-4"], pulse: "----", window: true, seconds: [true, true, false, false]),
        Case("less than half is not", voice: ["+ 0-1", "- 1-4"], pulse: "----", window: false, seconds: [true, false, false, false]),
        Case("time without emotion does not count", voice: ["+ 0-3"], pulse: "-------", window: true,
             seconds: [true, true, true, nil, nil, nil, nil]),
        Case("voice and face that pull apart are no emotion to contradict", voice: ["+ 0-3"], frames: String(repeating: "-", count: 30),
             pulse: "---", window: nil, seconds: [nil, nil, nil]),
    ])
    func `only signs of stress under a positive emotion contradict`(_ example: Case) throws {
        let events = try Marbles(
            voice: example.voice, frames: example.frames, pulse: example.pulse, pulseQuality: example.quality,
            endSeconds: Double(example.seconds.count)
        ).events()
        #expect(events.windows.first { $0.lane == .pulse }?.pulse?.contradicts == example.window)
        #expect(events.rows.map(\.contradicts) == example.seconds)
    }

    @Test func `a heart rate of little confidence says nothing`() throws {
        func contradicts(confidence: Double) throws -> [Bool?] {
            var fusion = FusionState(session: "s")
            try fusion.add(
                VoiceEvidence(index: 0, startNanoseconds: 0, endNanoseconds: nanoseconds(3), logits: [3, 0, 0], energyDBFS: -20))
            try fusion.add(
                PulseEvidence(
                    index: 0, startNanoseconds: 0, endNanoseconds: nanoseconds(3), heartRateBPM: 70, confidence: confidence,
                    signalQuality: 1, logits: [0, 0, 3]))
            return fusion.provisional().filter { $0.lane == .pulse }.map { $0.pulse?.contradicts }
        }
        #expect(try contradicts(confidence: 0.5) == [true])
        #expect(try contradicts(confidence: 0.49) == [nil])
    }

    @Test func `emotion that comes late amends what was said of the pulse`() throws {
        var fusion = FusionState(session: "s")
        var timeline = Timeline(session: "s")
        for evidence in Marbles(pulse: "---o", pulseQuality: 0.75, endSeconds: 6).pulseEvidence { try fusion.add(evidence) }
        var events = try fusion.endLane(.face, trackEndNanoseconds: 0, present: false)
        events += try fusion.cover(.pulse, startNanoseconds: 0, endNanoseconds: nanoseconds(6))
        events += try fusion.neverCover(.voice, startNanoseconds: 0, endNanoseconds: nanoseconds(6), reason: .missing)
        for event in events { timeline.apply(event) }
        #expect(timeline.windows.first?.pulse?.contradicts == .some(nil))
        try fusion.add(
            VoiceEvidence(index: 0, startNanoseconds: 0, endNanoseconds: nanoseconds(3), logits: [3, 0, 0], energyDBFS: -20))
        for event in try fusion.cover(.voice, startNanoseconds: 0, endNanoseconds: nanoseconds(6)) { timeline.apply(event) }
        let stress = try #require(timeline.windows.first { $0.lane == .pulse })
        #expect(stress.pulse?.contradicts == true)
        #expect(stress.revision > 0)
    }
}
