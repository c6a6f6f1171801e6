import Fusion
import Testing

/// A lane falls silent, is given up as missing, and delivers after all.
@Suite struct AmendmentTests {
    @Test func `what was said without the face is amended when the face comes`() throws {
        var fusion = FusionState(session: "s")
        var timeline = Timeline(session: "s")
        func apply(_ events: [TimelineEvent]) { for event in events { timeline.apply(event) } }

        for evidence in Marbles(voice: ["+ 1-2", "- 4-5"], endSeconds: 6).voiceEvidence { try fusion.add(evidence) }
        apply(try fusion.endLane(.pulse, trackEndNanoseconds: nanoseconds(6), present: true))
        apply(try fusion.cover(.pulse, startNanoseconds: 0, endNanoseconds: nanoseconds(6)))
        apply(try fusion.cover(.voice, startNanoseconds: 0, endNanoseconds: nanoseconds(6)))
        apply(try fusion.neverCover(.face, startNanoseconds: 0, endNanoseconds: nanoseconds(3), reason: .missing))
        #expect(timeline.windows.map(\.marble) == ["voice + 1.0-2.0"])
        #expect(timeline.windows.map(\.missing) == [[.face]])
        #expect(timeline.rows.map(\.second) == [0, 1])
        #expect(timeline.rows.map(\.missing) == [[.face], [.face]])

        for evidence in Marbles(frames: "--------------------", endSeconds: 6).faceEvidence {
            #expect(try fusion.add(evidence) == .accepted)
            #expect(try fusion.add(evidence) == .duplicate)
        }
        let amendment = try fusion.cover(.face, startNanoseconds: 0, endNanoseconds: nanoseconds(3))
        #expect(amendment.retractions.map(\.lane) == [.voice])
        #expect(amendment.retractions.map(\.revision) == [1])
        #expect(amendment.windows.map(\.marble) == ["face - 0.0-1.0", "fused + 1.0-2.0"])
        #expect(amendment.windows.map(\.revision) == [1, 1])
        #expect(amendment.windows.map(\.index) == [1, 2])
        #expect(amendment.rows.map(\.second) == [0, 1])
        #expect(amendment.rows.map(\.revision) == [1, 1])
        #expect(amendment.rows.map(\.missing) == [[], []])
        apply(amendment)
        #expect(timeline.windows.map(\.marble) == ["face - 0.0-1.0", "fused + 1.0-2.0"])

        apply(try fusion.cover(.face, startNanoseconds: nanoseconds(3), endNanoseconds: nanoseconds(6)))
        apply(try fusion.endSession(endNanoseconds: nanoseconds(6)))
        #expect(timeline.windows.map(\.marble) == ["voice - 4.0-5.0", "face - 0.0-1.0", "fused + 1.0-2.0"])
        #expect(timeline.windows.first?.index == 3)
        #expect(timeline.windows.first?.revision == 0)
        #expect(timeline.rows.count == 6)
        #expect(timeline.endNanoseconds == nanoseconds(6))
    }

    @Test(arguments: [(CoverageLoss.gap, Int64(60)), (.missing, 0)])
    func `lost media and settings without reach are never amended`(reason: CoverageLoss, reachSeconds: Int64) throws {
        let settings = FusionSettings(amendmentReachNanoseconds: reachSeconds * 1_000_000_000)
        var fusion = FusionState(session: "s", settings: settings)
        _ = try fusion.endLane(.voice, trackEndNanoseconds: 0, present: false)
        _ = try fusion.neverCover(.face, startNanoseconds: 0, endNanoseconds: nanoseconds(3), reason: reason)
        for evidence in Marbles(frames: "+++++", endSeconds: 3).faceEvidence {
            #expect(try fusion.add(evidence) == .late)
        }
        #expect(try fusion.cover(.face, startNanoseconds: 0, endNanoseconds: nanoseconds(3)).windows.isEmpty)
        #expect(fusion.progress.retainedEvidenceCount == 0)
    }

    @Test func `what is further back than the reach is forgotten, and memory stays bounded`() throws {
        let settings = FusionSettings(amendmentReachNanoseconds: nanoseconds(4))
        var fusion = FusionState(session: "s", settings: settings)
        _ = try fusion.endLane(.pulse, trackEndNanoseconds: 0, present: false)
        var mostRetained = 0
        for second in 0..<300 {
            let start = nanoseconds(Double(second))
            let end = nanoseconds(Double(second + 1))
            for frame in 0..<10 {
                try fusion.add(
                    FaceEvidence(ptsNanoseconds: start + Int64(frame) * 100_000_000, logits: [1, 0, 0], faceCount: 1))
            }
            _ = try fusion.cover(.face, startNanoseconds: start, endNanoseconds: end)
            _ = try fusion.neverCover(.voice, startNanoseconds: start, endNanoseconds: end, reason: .missing)
            mostRetained = max(mostRetained, fusion.progress.retainedEvidenceCount)
        }
        #expect(mostRetained > 0 && mostRetained < 150)
        func voice(_ second: Double) -> VoiceEvidence {
            VoiceEvidence(
                index: Int64(second * 2), startNanoseconds: nanoseconds(second), endNanoseconds: nanoseconds(second + 1),
                logits: [0, 0, 1], energyDBFS: -20)
        }
        #expect(try fusion.add(voice(200)) == .late)
        #expect(try fusion.add(voice(297)) == .accepted)
        let events = try fusion.cover(.voice, startNanoseconds: nanoseconds(297), endNanoseconds: nanoseconds(298))
        #expect(events.windows.contains { $0.lane == .fused && $0.startNanoseconds == nanoseconds(297) })
    }

    @Test func `after all amendments the timeline is the one of an undisturbed session`() throws {
        var amendmentCount = 0
        for seed in UInt64(0)..<4_000 {
            var random = Seeded(seed: seed)
            var scenario = Scenario.random(&random)
            scenario.losses = [:]
            var timeline = Timeline(session: "property")
            var fusion = FusionState(session: "property", settings: scenario.settings)
            var numbers: [[UInt64]] = [[], []]
            for step in lateDelivery(scenario, &random) {
                for event in try fusion.apply(step) {
                    timeline.apply(event)
                    if case .retracted = event { amendmentCount += 1 }
                    if case .window(let window) = event { numbers[window.lane.isEmotion ? 0 : 1].append(window.index) }
                }
            }
            var undisturbed = FusionState(session: "property", settings: scenario.settings)
            let expected = Timeline(
                session: "property", events: try scenario.inOrder().flatMap { try undisturbed.apply($0) })
            let isSame =
                timeline.windows.map(unnumbered) == expected.windows.map(unnumbered)
                && timeline.rows.map(unnumbered) == expected.rows.map(unnumbered)
                && timeline.endNanoseconds == expected.endNanoseconds
            #expect(isSame, "seed \(seed)\n\(scenario)")
            #expect(numbers.allSatisfy { $0 == (0..<UInt64($0.count)).map { $0 } }, "seed \(seed): numbers \(numbers)")
            if !isSame { return }
        }
        #expect(amendmentCount > 1000)
    }

    /// Deliveries in which stretches are given up as missing, and their evidence comes after that, in batches of its
    /// own; the session's end is told last.
    private func lateDelivery(_ scenario: Scenario, _ random: inout Seeded) -> [Step] {
        var prompt = scenario
        var streams: [[Step]] = []
        for lane in Lane.allCases where random.chance(0.6) {
            guard let end = scenario.trackEnds[lane], end > 1 else { continue }
            let from = random.integer(in: 0...(end - 1))
            let missing = from..<random.integer(in: (from + 1)...end)
            prompt.losses[lane] = [missing]
            let cut = random.integer(in: missing.lowerBound...missing.upperBound)
            var batches = [missing.lowerBound..<cut, cut..<missing.upperBound].filter { !$0.isEmpty }.map { part in
                scenario.evidence(lane, startingIn: part).shuffled(using: &random)
                    + [Step.cover(lane, part.lowerBound, part.upperBound)]
            }
            batches.shuffle(using: &random)
            streams.append([.never(lane, missing.lowerBound, missing.upperBound, .missing)] + batches.flatMap { $0 })
        }
        let given = prompt
        prompt.voice.removeAll { given.isLost(.voice, $0.index * windowHop) }
        prompt.face.removeAll { given.isLost(.face, $0.ptsNanoseconds) }
        prompt.pulse.removeAll { given.isLost(.pulse, $0.startNanoseconds) }
        let others = prompt.shuffled(&random).filter {
            switch $0 {
            case .never, .endSession: false
            default: true
            }
        }
        return merge(streams + [others], &random) + [.endSession(scenario.sessionEnd)]
    }

    private func unnumbered(_ window: TimelineWindow) -> TimelineWindow {
        TimelineWindow(
            session: window.session, lane: window.lane, index: 0, isFinal: window.isFinal, revision: 0,
            startNanoseconds: window.startNanoseconds, endNanoseconds: window.endNanoseconds, label: window.label,
            probabilities: window.probabilities, voice: window.voice, face: window.face, pulse: window.pulse,
            missing: window.missing)
    }

    private func unnumbered(_ row: SecondRow) -> SecondRow {
        SecondRow(
            session: row.session, second: row.second, revision: 0, probabilities: row.probabilities,
            sources: row.sources, faceShare: row.faceShare, viewerShare: row.viewerShare,
            attention: row.attention, speechShare: row.speechShare, faceCount: row.faceCount,
            pulse: row.pulse, missing: row.missing)
    }
}
