import Fusion
import NodeKit
import Testing
import Wire

@Suite struct TimelineWireTests {
    @Test(arguments: [true, false, nil] as [Bool?])
    func `whether a pulse window contradicts the emotion survives the wire`(contradicts: Bool?) throws {
        let window = TimelineWindow(
            session: "s", lane: .pulse, index: 3, isFinal: true, revision: 1, startNanoseconds: 0, endNanoseconds: 4_000_000_000,
            label: .negative, probabilities: Probabilities(positive: 0, neutral: 0.25, negative: 0.75),
            pulse: .init(heartRateBPM: 70, confidence: 0.75, signalQuality: 0.5, clipCount: 4, contradicts: contradicts))
        let bytes: [UInt8] = try Adreact_V1_TimelineWindow(window).serializedBytes()
        #expect(try Adreact_V1_TimelineWindow(serializedBytes: bytes).event(session: "s") == .window(window))
    }
}
