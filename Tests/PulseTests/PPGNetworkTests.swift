import Foundation
import Inference
import Pulse
import Testing

@Suite struct PPGNetworkTests {
    static let folderPath = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Models/pulse").path()

    struct Case: Decodable {
        var channels: [Double]
        var logits: [Double]
    }

    @Test func logitsEqualPyTorchs() throws {
        let network = try PPGNetwork(folder: try ModelFolder.load(Self.folderPath))
        for test in try fixture("network", [Case].self) {
            let logits = try network.logits(channels: test.channels)
            #expect(zip(logits, test.logits).allSatisfy { abs(Double($0) - $1) <= 1e-4 }, "\(logits)")
        }
    }

    @Test func positiveIsNeverClaimed() throws {
        let network = try PPGNetwork(folder: try ModelFolder.load(Self.folderPath))
        for test in try fixture("network", [Case].self) {
            let logits = try network.logits(channels: test.channels)
            #expect(logits[0] + 20 < min(logits[1], logits[2]))
        }
    }

    @Test func clipsOfAClearPulseAreLabelledAndOthersAreNot() throws {
        let network = try PPGNetwork(folder: try ModelFolder.load(Self.folderPath))
        func labelled(_ skin: SyntheticSkin) throws -> [PulseClip] {
            var analyzer = try PulseAnalyzer(classifier: network)
            var clips: [PulseClip] = []
            for sample in skin.samples(seconds: 16, seed: 1) { clips += try analyzer.append(sample) }
            return Array(clips.dropFirst(11))
        }
        // At 60 bpm every second holds one pulse.
        let clear = try labelled(SyntheticSkin(heartRateBPM: 60, noise: 0.01))
        #expect(clear.count { $0.logits?.plain.count == 3 } >= 3)
        let none = try labelled(SyntheticSkin(heartRateBPM: nil))
        #expect(none.allSatisfy { $0.logits == nil })
    }

    @Test func aWaveShorterThanTheWindowIsNotJudged() throws {
        let network = try PPGNetwork(folder: try ModelFolder.load(Self.folderPath))
        let wave = (0..<120).map { sin(Double($0) * 0.2) }
        #expect(try network.judge(heartRateBPM: 60, wave: wave, rateHz: 30) == nil)
    }
}
