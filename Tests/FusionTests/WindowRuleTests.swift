import Fusion
import Testing

/// The rules of merging, cutting and fusing, each by a table of drawn sessions.
@Suite struct WindowRuleTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var voice: [String] = []
        var frames = ""
        var expected: [String]

        init(_ name: String, voice: [String] = [], frames: String = "", expected: [String]) {
            testDescription = name
            self.voice = voice
            self.frames = frames
            self.expected = expected
        }
    }

    @Test(arguments: [
        Case("one part stands alone", voice: ["+ 0.5-2"], expected: ["voice + 0.5-2.0"]),
        Case("overlap and same label merge", voice: ["+ 0-3", "+ 0.5-3.5"], expected: ["voice + 0.0-3.5"]),
        Case("a chain merges", voice: ["+ 0-2", "+ 1.5-3", "+ 2.5-6"], expected: ["voice + 0.0-6.0"]),
        Case("a part inside another does not shorten it", voice: ["+ 0-4", "+ 1-2"], expected: ["voice + 0.0-4.0"]),
        Case("touching is not overlapping", voice: ["+ 0-2", "+ 2-4"], expected: ["voice + 0.0-2.0", "voice + 2.0-4.0"]),
        Case("apart stays apart", voice: ["+ 0-1", "+ 3-4"], expected: ["voice + 0.0-1.0", "voice + 3.0-4.0"]),
        Case("another label is cut, the earlier keeps its time", voice: ["+ 0-3", "- 0.5-3.5"],
             expected: ["voice + 0.0-3.0", "voice - 3.0-3.5"]),
        Case("alternating labels are cut one by one", voice: ["+ 0-3", "- 0.5-3.5", "+ 1-4"],
             expected: ["voice + 0.0-3.0", "voice - 3.0-3.5", "voice + 3.5-4.0"]),
        Case("a cut part still merges with its own label", voice: ["+ 0-3", "- 0.5-3.5", "- 1-4"],
             expected: ["voice + 0.0-3.0", "voice - 3.0-4.0"]),
        Case("nothing left after the cut: dropped", voice: ["+ 0-3", "- 1-2.5", "- 1.5-3"], expected: ["voice + 0.0-3.0"]),
        Case("a dropped part does not part its neighbours", voice: ["+ 0-3", "o 1-2.5", "+ 2.5-4"],
             expected: ["voice + 0.0-4.0"]),
        Case("time order is that of the parts, not of the windows", voice: ["- 2-3", "+ 0.5-1.5"],
             expected: ["voice + 0.5-1.5", "voice - 2.0-3.0"]),
    ])
    func `voice parts merge and are cut`(_ example: Case) throws {
        #expect(try Marbles(voice: example.voice, endSeconds: 8).windows() == example.expected)
    }

    @Test(arguments: [
        Case("frames of a label form a window", frames: "+++++", expected: ["face + 0.0-0.4"]),
        Case("another label begins another window", frames: "+++--", expected: ["face + 0.0-0.2", "face - 0.2-0.4"]),
        Case("a frame speaks for the time before it", frames: "+-+", expected: ["face - 0.0-0.1", "face + 0.1-0.2"]),
        Case("a frame without a face parts windows, and the next speaks from it", frames: "++.++",
             expected: ["face + 0.0-0.1", "face + 0.2-0.4"]),
        Case("a frame speaks for 0.3 s at most", frames: "+     +", expected: ["face + 0.3-0.6"]),
        Case("exactly 0.3 s joins", frames: "+  +  +", expected: ["face + 0.0-0.6"]),
        Case("0.4 s apart does not join", frames: "+   +   +", expected: ["face + 0.1-0.4", "face + 0.5-0.8"]),
        Case("a single frame has no time before it", frames: "   +", expected: []),
        Case("frames without a face say nothing", frames: "......", expected: []),
    ])
    func `frames outside speech form face windows`(_ example: Case) throws {
        #expect(try Marbles(frames: example.frames, endSeconds: 8).windows() == example.expected)
    }

    @Test(arguments: [
        Case("a frame in the part makes it fused", voice: ["+ 0-1"], frames: "     +", expected: ["fused + 0.0-1.0"]),
        Case("frames without a face leave it voice", voice: ["+ 0-1"], frames: "......", expected: ["voice + 0.0-1.0"]),
        Case("a frame at the start is in it, one at the end is not", voice: ["+ 0.5-1"], frames: "     .    +",
             expected: ["voice + 0.5-1.0"]),
        Case("a frame exactly at the start fuses", voice: ["+ 0.5-1"], frames: "     +",
             expected: ["fused + 0.5-1.0"]),
        Case("a face window is cut where speech begins and ends", voice: ["+ 0.25-0.55"], frames: "---------",
             expected: ["face - 0.0-0.25", "fused + 0.25-0.55", "face - 0.55-0.8"]),
        Case("a frame can speak on both sides of a short part", voice: ["+ 0.1-0.2"], frames: "-  -",
             expected: ["face - 0.0-0.1", "voice + 0.1-0.2", "face - 0.2-0.3"]),
        Case("touching windows of one label stay apart across speech", voice: ["- 0.2-0.4"], frames: "------",
             expected: ["face - 0.0-0.2", "fused - 0.2-0.4", "face - 0.4-0.5"]),
        Case("windows of one label that fusing brings together are not merged again", voice: ["+ 0-1", "+ 1-2"],
             frames: "     +         +", expected: ["fused + 0.0-1.0", "fused + 1.0-2.0"]),
        Case("nothing at all is an empty timeline", expected: []),
    ])
    func `speech and face together`(_ example: Case) throws {
        let session = Marbles(voice: example.voice, frames: example.frames, endSeconds: 8)
        #expect(try session.windows() == example.expected)
    }

    @Test func `logits, not probabilities, are averaged over merged voice windows`() throws {
        var fusion = FusionState(session: "s")
        for (index, logits) in [[4, 0, 0], [1, 0, 0]].map({ $0.map(Float.init) }).enumerated() {
            try fusion.add(
                VoiceEvidence(
                    index: Int64(index), startNanoseconds: 0, endNanoseconds: nanoseconds(Double(index) + 1),
                    logits: logits, energyDBFS: Float(-10 - 10 * index)))
        }
        let window = try #require(fusion.provisional().first)
        #expect(isClose(window.probabilities, softmax(2.5, 0, 0)))
        #expect(window.voice?.windowCount == 2)
        #expect(window.voice?.energyDBFS == -15)
    }

    @Test(arguments: [0.0, 0.25, 0.5, 1.0])
    func `a fused window is the weighted mean of probabilities`(faceWeight: Double) throws {
        let session = Marbles(
            voice: ["+ 0-1"], frames: "  - -", endSeconds: 2, settings: FusionSettings(faceWeight: faceWeight))
        let window = try #require(try session.events().windows.first { $0.lane == .fused })
        let voice = softmax(2, 0, 0)
        let face = softmax(0, 0, 2)
        let mean = zip(voice, face).map { $0 * (1 - faceWeight) + $1 * faceWeight }
        #expect(isClose(window.probabilities, mean))
        #expect(isClose(window.voice?.probabilities, voice))
        #expect(isClose(window.face?.probabilities, face))
        #expect(window.face?.frameCount == 2)
        #expect(window.label == (faceWeight > 0.5 ? .negative : .positive))
    }

    @Test func `the first frame speaks for its own duration where that is known`() throws {
        var fusion = FusionState(session: "s")
        try fusion.add(
            FaceEvidence(
                ptsNanoseconds: nanoseconds(1), durationNanoseconds: nanoseconds(0.04), logits: [2, 0, 0], faceCount: 1))
        #expect(fusion.provisional().map(\.marble) == ["face + 0.96-1.0"])
    }

    @Test func `among equal probabilities the first emotion is the label`() throws {
        var fusion = FusionState(session: "s")
        try fusion.add(
            VoiceEvidence(index: 0, startNanoseconds: 0, endNanoseconds: 10, logits: [1, 1, 1], energyDBFS: -20))
        #expect(fusion.provisional().first?.label == .positive)
    }

    @Test(arguments: [
        ("+++", ["pulse + 0.0-3.0"]),
        ("++--", ["pulse + 0.0-2.0", "pulse - 2.0-4.0"]),
        ("+.+", ["pulse + 0.0-1.0", "pulse + 2.0-3.0"]),
        ("+ +", ["pulse + 0.0-1.0", "pulse + 2.0-3.0"]),
        ("...", []),
    ])
    func `neighbouring pulse clips of one label merge`(pulse: String, expected: [String]) throws {
        #expect(try Marbles(pulse: pulse, endSeconds: 5).windows() == expected)
    }

    @Test func `a pulse window has the means of its clips`() throws {
        let window = try #require(try Marbles(pulse: "++.", endSeconds: 3).events().windows.first)
        #expect(window.pulse == .init(heartRateBPM: 60.5, confidence: 0.5, signalQuality: 0.25, clipCount: 2))
        #expect(isClose(window.probabilities, softmax(2, 0, 0)))
    }
}
