import Fusion
import Testing

/// What the rows of the seconds say.
@Suite struct SecondRowTests {
    @Test func `probabilities are weighted by time`() throws {
        let row = try #require(try Marbles(voice: ["+ 0-0.75", "- 0.75-1"], endSeconds: 1).rows().first)
        let expected = zip(softmax(2, 0, 0), softmax(0, 0, 2)).map { 0.75 * $0 + 0.25 * $1 }
        #expect(isClose(row.probabilities, expected))
        #expect(row.valence.map { abs($0 - (expected[0] - expected[2])) < 1e-12 } == true)
        #expect(row.sources == [.voice])
        #expect(row.speechShare == 1)
    }

    @Test func `a second with windows for part of it is the mean over that part`() throws {
        let row = try #require(try Marbles(voice: ["+ 0-0.25"], endSeconds: 1).rows().first)
        #expect(isClose(row.probabilities, softmax(2, 0, 0)))
        #expect(row.speechShare == 0.25)
    }

    @Test func `every second has a row, the last one is of the part that exists`() throws {
        let rows = try Marbles(voice: ["+ 2.25-2.5"], endSeconds: 2.5).rows()
        #expect(rows.map(\.second) == [0, 1, 2])
        #expect(rows.map(\.speechShare) == [0, 0, 0.5])
        #expect(rows.map { $0.probabilities == nil } == [true, true, false])
        #expect(rows.map(\.sources) == [[], [], [.voice]])
        #expect(rows.map(\.faceCount) == [nil, nil, nil])
    }

    @Test func `the face's share is the time that usable frames speak for, in speech or not`() throws {
        let rows = try Marbles(voice: ["+ 0-1"], frames: "+++++.....+++++", endSeconds: 2).rows()
        #expect(rows.map(\.faceShare) == [0.5, 0.4])
        #expect(rows.map(\.faceCount) == [1, 1])
        #expect(rows.map(\.sources) == [[.fused], [.face]])
    }

    @Test func `the viewer's share is the time that frames with a face speak for, attention the part of it that is attentive`() throws {
        var fusion = FusionState(session: "s")
        // At 0.2, 0.4 and so on, each for the 0.2 s before. Seen and attentive, seen, seen, gone, gone, ...
        for number in 1...10 {
            try fusion.add(
                FaceEvidence(
                    ptsNanoseconds: Int64(number) * 200_000_000, durationNanoseconds: 200_000_000, logits: nil, showsViewer: number < 4,
                    isAttentive: number == 1, faceCount: 0))
        }
        var events = try fusion.endSession(endNanoseconds: nanoseconds(4))
        for lane in Lane.allCases { events += try fusion.cover(lane, startNanoseconds: 0, endNanoseconds: nanoseconds(4)) }
        #expect(events.rows.map(\.viewerShare) == [0.6, 0, nil, nil])
        #expect(events.rows.map(\.attention) == [0.2, 0, nil, nil])
        #expect(events.rows.map(\.faceShare) == [0, 0, 0, 0])
    }

    @Test func `the most faces in a frame are counted, usable or not`() throws {
        var fusion = FusionState(session: "s")
        for (pts, count) in [(0, 1), (300, 3), (600, 2)] {
            try fusion.add(FaceEvidence(ptsNanoseconds: Int64(pts), logits: nil, faceCount: count))
        }
        var events = try fusion.endSession(endNanoseconds: 1_000)
        for lane in Lane.allCases { events += try fusion.cover(lane, startNanoseconds: 0, endNanoseconds: 1_000) }
        #expect(events.rows.map(\.faceCount) == [3])
    }

    @Test func `a clip has its own row, an unknown one no rate and no label`() throws {
        let rows = try Marbles(pulse: "+. ", endSeconds: 3).rows()
        #expect(rows.map { $0.pulse?.heartRateBPM } == [60, nil, nil])
        #expect(rows.map { $0.pulse?.label } == [.positive, nil, nil])
        #expect(rows.map { $0.pulse?.confidence } == [0.5, 0, nil])
        #expect(rows.map { $0.pulse?.signalQuality } == [0.25, 0.25, nil])
        #expect(isClose(rows[0].pulse?.probabilities, softmax(2, 0, 0)))
    }

    @Test func `a clip without a label can still know the heart rate`() throws {
        var fusion = FusionState(session: "s")
        try fusion.add(
            PulseEvidence(
                index: 0, startNanoseconds: 0, endNanoseconds: 1_000, heartRateBPM: 72, confidence: 1, signalQuality: 1,
                logits: nil))
        var events = try fusion.endSession(endNanoseconds: 1_000)
        for lane in Lane.allCases { events += try fusion.cover(lane, startNanoseconds: 0, endNanoseconds: 1_000) }
        #expect(events.windows.isEmpty)
        #expect(events.rows.map { $0.pulse?.heartRateBPM } == [72])
    }

    @Test func `what is absent, lost, or over is marked, what was examined in vain is not`() throws {
        var fusion = FusionState(session: "s")
        var events = try fusion.endSession(endNanoseconds: nanoseconds(5))
        events += try fusion.endLane(.voice, trackEndNanoseconds: 0, present: false)
        events += try fusion.cover(.face, startNanoseconds: 0, endNanoseconds: nanoseconds(5))
        events += try fusion.neverCover(
            .pulse, startNanoseconds: nanoseconds(1.5), endNanoseconds: nanoseconds(2), reason: .gap)
        events += try fusion.cover(.pulse, startNanoseconds: 0, endNanoseconds: nanoseconds(1.5))
        events += try fusion.cover(.pulse, startNanoseconds: nanoseconds(2), endNanoseconds: nanoseconds(3.5))
        events += try fusion.endLane(.pulse, trackEndNanoseconds: nanoseconds(3.5), present: true)
        #expect(
            events.rows.map(\.missing) == [[.voice], [.voice, .pulse], [.voice], [.voice], [.voice, .pulse]])
    }

    @Test func `an examined stretch stays examined, whoever gives it up before or after`() throws {
        for coverFirst in [true, false] {
            var fusion = FusionState(session: "s")
            for lane in [Lane.voice, .pulse] {
                _ = try fusion.cover(lane, startNanoseconds: 0, endNanoseconds: nanoseconds(2))
            }
            func cover() throws -> [TimelineEvent] {
                try fusion.cover(.face, startNanoseconds: nanoseconds(1), endNanoseconds: nanoseconds(2))
            }
            func giveUp() throws -> [TimelineEvent] {
                try fusion.neverCover(
                    .face, startNanoseconds: nanoseconds(1), endNanoseconds: nanoseconds(2), reason: .missing)
            }
            var events = coverFirst ? try cover() + giveUp() : try giveUp() + cover()
            events += try fusion.cover(.face, startNanoseconds: 0, endNanoseconds: nanoseconds(1))
            events += try fusion.endSession(endNanoseconds: nanoseconds(2))
            #expect(events.rows.map(\.missing) == [[], []])
        }
    }
}
