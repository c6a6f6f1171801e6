import Fusion
import Testing

/// When something becomes final: as soon as nothing to come can change it, and not before.
@Suite struct FinalityTests {
    /// One lane's message, and what comes out of it.
    struct Moment: Sendable {
        let lane: Lane
        let coveredSeconds: Double
        let said: [String]

        init(_ lane: Lane, _ coveredSeconds: Double, says said: [String] = []) {
            self.lane = lane
            self.coveredSeconds = coveredSeconds
            self.said = said
        }
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var voice: [String] = []
        var frames = ""
        var pulse = ""
        let moments: [Moment]
    }

    @Test(arguments: [
        Case(
            testDescription: "a voice window waits until no part can overlap it, and for its frames",
            voice: ["+ 0-3"],
            moments: [
                Moment(.face, 2.9), Moment(.voice, 2.9), Moment(.voice, 3), Moment(.face, 3, says: ["voice + 0.0-3.0"]),
            ]),
        Case(
            testDescription: "a part of another label ends the one before it early",
            voice: ["+ 0-3", "- 0.5-3.5"],
            moments: [
                Moment(.face, 3), Moment(.voice, 0.5), Moment(.voice, 1, says: ["voice + 0.0-3.0"]),
                Moment(.face, 9), Moment(.voice, 3.5, says: ["voice - 3.0-3.5"]),
            ]),
        Case(
            testDescription: "a face window waits as long as a frame could still reach back to it",
            frames: "++++",
            moments: [
                Moment(.voice, 9), Moment(.face, 0.4), Moment(.face, 0.6),
                Moment(.face, 0.601, says: ["face + 0.0-0.3"]),
            ]),
        Case(
            testDescription: "a frame with another label ends a face window",
            frames: "+++-",
            moments: [
                Moment(.voice, 9), Moment(.face, 0.3), Moment(.face, 0.301, says: ["face + 0.0-0.2"]),
                Moment(.face, 9, says: ["face - 0.2-0.3"]),
            ]),
        Case(
            testDescription: "frames wait for the voice, which might speak over them",
            frames: "+++-",
            moments: [
                Moment(.face, 9), Moment(.voice, 0.2), Moment(.voice, 0.301, says: ["face + 0.0-0.2"]),
            ]),
        Case(
            testDescription: "a short part waits for the frame that speaks for the time before it",
            voice: ["+ 0.1-0.2"], frames: "-  -",
            moments: [
                Moment(.voice, 9), Moment(.face, 0.3),
                Moment(.face, 0.301, says: ["face - 0.0-0.1", "voice + 0.1-0.2"]),
                Moment(.face, 9, says: ["face - 0.2-0.3"]),
            ]),
        Case(
            testDescription: "a pulse window waits for the clip after it",
            pulse: "++",
            moments: [
                Moment(.voice, 9), Moment(.face, 9), Moment(.pulse, 2), Moment(.pulse, 2.001, says: ["pulse + 0.0-2.0"]),
            ]),
        Case(
            testDescription: "a pulse window waits for all emotion in it",
            frames: "++++++++++++++++++++", pulse: "--",
            moments: [
                Moment(.pulse, 9), Moment(.face, 9),
                Moment(.voice, 1.9), Moment(.voice, 9, says: ["face + 0.0-1.9", "pulse - 0.0-2.0"]),
            ]),
    ])
    func `windows become final when nothing can change them`(_ example: Case) throws {
        let session = Marbles(voice: example.voice, frames: example.frames, pulse: example.pulse, endSeconds: 9)
        var fusion = FusionState(session: "s")
        for evidence in session.voiceEvidence { try fusion.add(evidence) }
        for evidence in session.faceEvidence { try fusion.add(evidence) }
        for evidence in session.pulseEvidence { try fusion.add(evidence) }
        for moment in example.moments {
            let events = try fusion.cover(
                moment.lane, startNanoseconds: 0, endNanoseconds: nanoseconds(moment.coveredSeconds))
            #expect(events.windows.map(\.marble) == moment.said, "\(moment.lane) covered to \(moment.coveredSeconds) s")
        }
    }

    @Test func `a snapshot shows what is open, and its revision grows`() throws {
        var fusion = FusionState(session: "s", firstSnapshotRevision: 7)
        for evidence in Marbles(voice: ["+ 0-2"], frames: "++++", endSeconds: 9).voiceEvidence { try fusion.add(evidence) }
        let first = fusion.provisional()
        #expect(first.map(\.marble) == ["voice + 0.0-2.0"])
        #expect(first.map(\.revision) == [7])
        for evidence in Marbles(frames: "++++", endSeconds: 9).faceEvidence { try fusion.add(evidence) }
        let second = fusion.provisional()
        #expect(second.map(\.marble) == ["fused + 0.0-2.0"])
        #expect(second.map(\.revision) == [8])
        #expect(second.allSatisfy { !$0.isFinal })
    }

    @Test func `a session ends once, when every lane is known to its end`() throws {
        var fusion = FusionState(session: "s")
        #expect(try !fusion.endSession(endNanoseconds: nanoseconds(2.5)).hasEnded)
        #expect(try !fusion.endLane(.voice, trackEndNanoseconds: 0, present: false).hasEnded)
        #expect(try !fusion.cover(.pulse, startNanoseconds: 0, endNanoseconds: nanoseconds(3)).hasEnded)
        #expect(try !fusion.cover(.face, startNanoseconds: 0, endNanoseconds: nanoseconds(1)).hasEnded)
        let events = try fusion.endLane(.face, trackEndNanoseconds: nanoseconds(1), present: true)
        #expect(events.rows.map(\.second) == [0, 1, 2])
        #expect(events.last == .ended(endNanoseconds: nanoseconds(2.5)))
        #expect(try fusion.endSession(endNanoseconds: nanoseconds(9)).isEmpty)
        #expect(try fusion.add(FaceEvidence(ptsNanoseconds: 5, logits: nil, faceCount: 0)) == .late)
        #expect(fusion.provisional().isEmpty)
    }

    @Test func `a session without length ends without rows`() throws {
        var fusion = FusionState(session: "s")
        #expect(try fusion.endSession(endNanoseconds: 0) == [.ended(endNanoseconds: 0)])
    }

    @Test func `evidence counts once`() throws {
        var fusion = FusionState(session: "s")
        let frame = FaceEvidence(ptsNanoseconds: 100, logits: [1, 0, 0], faceCount: 1)
        #expect(try fusion.add(frame) == .accepted)
        #expect(try fusion.add(frame) == .duplicate)
        _ = try fusion.cover(.face, startNanoseconds: 0, endNanoseconds: 1_000)
        #expect(try fusion.add(frame) == .late)
    }

    @Test func `memory stays bounded over a long session, however long one window`() throws {
        var fusion = FusionState(session: "s")
        _ = try fusion.endLane(.pulse, trackEndNanoseconds: 0, present: false)
        var mostPending = 0
        var rowCount = 0
        for half in Int64(0)..<14_400 {
            let start = half * windowHop
            try fusion.add(
                VoiceEvidence(
                    index: half, startNanoseconds: start, endNanoseconds: start + windowLength,
                    logits: half < 7_200 ? [1, 0, 0] : [0, 0, Float(half % 12)], energyDBFS: -20))
            for frame in Int64(0)..<15 {
                try fusion.add(
                    FaceEvidence(ptsNanoseconds: start + frame * 33_333_333, logits: [1, 0, 0], faceCount: 1))
            }
            let events =
                try fusion.cover(.voice, startNanoseconds: start, endNanoseconds: start + windowHop)
                + fusion.cover(.face, startNanoseconds: start, endNanoseconds: start + windowHop)
            rowCount += events.rows.count
            mostPending = max(mostPending, fusion.progress.pendingEvidenceCount)
        }
        #expect(mostPending < 50)
        #expect(rowCount > 7_000)
        #expect(fusion.progress.retainedEvidenceCount == 0)
    }
}
