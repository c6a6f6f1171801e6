import Fusion
import Testing

/// Input that no honest node sends changes nothing, and is told.
@Suite struct HostileInputTests {
    private func voice(
        start: Int64 = 0, end: Int64 = 1, logits: [Float] = [0, 0, 0], energyDBFS: Float = -20
    ) -> VoiceEvidence {
        VoiceEvidence(index: 0, startNanoseconds: start, endNanoseconds: end, logits: logits, energyDBFS: energyDBFS)
    }

    private func pulse(
        rate: Double? = 60, confidence: Double = 1, quality: Double = 1, logits: [Float]? = nil
    ) -> PulseEvidence {
        PulseEvidence(
            index: 0, startNanoseconds: 0, endNanoseconds: 1, heartRateBPM: rate, confidence: confidence,
            signalQuality: quality, logits: logits)
    }

    @Test func `times out of range are refused`() {
        var fusion = FusionState(session: "s")
        for (start, end) in [(-1, 1), (0, 0), (5, 4), (0, Int64.max), (Int64.min, Int64.max)] {
            #expect(throws: FusionError.self) { try fusion.add(voice(start: start, end: end)) }
        }
        for pts in [-1, Int64.min, Int64.max] {
            #expect(throws: FusionError.self) {
                try fusion.add(FaceEvidence(ptsNanoseconds: pts, logits: nil, faceCount: 0))
            }
            #expect(throws: FusionError.self) { _ = try fusion.endSession(endNanoseconds: pts) }
            #expect(throws: FusionError.self) { _ = try fusion.cover(.face, startNanoseconds: 0, endNanoseconds: pts) }
            #expect(throws: FusionError.self) {
                _ = try fusion.endLane(.face, trackEndNanoseconds: pts, present: true)
            }
        }
        #expect(throws: FusionError.self) {
            _ = try fusion.neverCover(.face, startNanoseconds: 2, endNanoseconds: 1, reason: .gap)
        }
        #expect(fusion.progress.pendingEvidenceCount == 0)
    }

    @Test func `measures out of range are refused`() {
        var fusion = FusionState(session: "s")
        for logits in [[], [0, 0], [0, 0, 0, 0], [.nan, 0, 0], [0, .infinity, 0]] as [[Float]] {
            #expect(throws: FusionError.self) { try fusion.add(voice(logits: logits)) }
            #expect(throws: FusionError.self) { try fusion.add(pulse(logits: logits)) }
            #expect(throws: FusionError.self) {
                try fusion.add(FaceEvidence(ptsNanoseconds: 0, logits: logits, faceCount: 1))
            }
        }
        #expect(throws: FusionError.self) { try fusion.add(voice(energyDBFS: .nan)) }
        for rate in [0, -60, Double.nan, .infinity, 1e9] {
            #expect(throws: FusionError.self) { try fusion.add(pulse(rate: rate)) }
        }
        for share in [-0.1, 1.1, .nan] {
            #expect(throws: FusionError.self) { try fusion.add(pulse(confidence: share)) }
            #expect(throws: FusionError.self) { try fusion.add(pulse(quality: share)) }
        }
        #expect(throws: FusionError.self) {
            try fusion.add(FaceEvidence(ptsNanoseconds: 0, logits: nil, faceCount: -1))
        }
        #expect(fusion.progress.pendingEvidenceCount == 0)
    }

    @Test func `an error says which lane and what is wrong`() {
        var fusion = FusionState(session: "s")
        let error = #expect(throws: FusionError.self) { try fusion.add(voice(logits: [1, 2])) }
        #expect(error?.code == .measure)
        #expect(error?.description == "voice lane: measure out of range: logits [1.0, 2.0]")
    }

    @Test func `logits of any size give probabilities`() throws {
        var fusion = FusionState(session: "s")
        try fusion.add(voice(end: 1_000, logits: [.greatestFiniteMagnitude, -.greatestFiniteMagnitude, 0]))
        let window = try #require(fusion.provisional().first)
        #expect(window.probabilities == Probabilities(positive: 1, neutral: 0, negative: 0))
    }

    @Test func `messages in any senseless order do no harm`() throws {
        for seed in UInt64(0)..<3_000 {
            var random = Seeded(seed: seed)
            var fusion = FusionState(session: "s")
            var timeline = Timeline(session: "s")
            var emotionEnd: Int64 = 0
            for _ in 0..<60 {
                for event in try fusion.apply(senseless(&random)) {
                    timeline.apply(event)
                    guard case .window(let window) = event, window.lane.isEmotion, window.revision == 0 else { continue }
                    #expect(window.startNanoseconds >= emotionEnd, "seed \(seed)")
                    emotionEnd = window.endNanoseconds
                }
                _ = fusion.provisional()
            }
            _ = TimelineText.render(timeline) + TimelineSVG.render(timeline)
        }
    }

    private func senseless(_ random: inout Seeded) -> Step {
        func moment() -> Int64 { random.integer(in: 0...20) * 250_000_000 }
        let lane = random.pick(Lane.allCases)
        let start = moment()
        let end = start + moment() + 1
        switch random.integer(in: 0...11) {
        case 0...2:
            return .voice(
                VoiceEvidence(
                    index: random.integer(in: 0...9), startNanoseconds: start, endNanoseconds: end,
                    logits: random.logits(random.mood()), energyDBFS: -20))
        case 3...6:
            return .face(
                FaceEvidence(
                    ptsNanoseconds: start, logits: random.chance(0.8) ? random.logits(random.mood()) : nil, faceCount: 1))
        case 7:
            return .pulse(
                PulseEvidence(
                    index: random.integer(in: 0...9), startNanoseconds: start, endNanoseconds: end, heartRateBPM: nil,
                    confidence: 0, signalQuality: 0, logits: random.logits(random.mood())))
        case 8...9: return .cover(lane, start, end)
        case 10: return .never(lane, start, end, random.pick(CoverageLoss.allCases))
        default:
            return random.chance(0.8)
                ? .endLane(lane, start, present: random.chance(0.5)) : .endSession(start)
        }
    }
}
