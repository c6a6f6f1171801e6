import Foundation
import Inference
import Testing
import Voice

@Suite("Voice activity by Silero's network")
struct VoiceActivityTests {
    private static let path =
        (ProcessInfo.processInfo.environment["ADREACT_PREFIX"] ?? "/opt/adreact") + "/models/" + SileroNetwork.fileName
    private let network: SileroNetwork

    init() throws { network = try SileroNetwork(modelAt: Self.path) }

    @Test("probabilities are onnxruntime's within 5e-3", arguments: ["one-stretch", "hiss"])
    func golden(name: String) throws {
        let golden = try #require(try GoldenFile.json("silero.json", as: [String: [Float]].self)[name])
        let samples = try #require(SyntheticSignals.cases[name]).samples
        var activity = try VoiceActivity(network: network, sampleRateHz: 48_000, startSample: 0)
        activity.append(samples, startSample: 0)
        let chunks = try activity.chunks(in: 0..<144_000)
        // 93 chunks of 1536 samples; the filter reaches past the last one's end, and they are heard in pairs.
        #expect(chunks.probabilities.count == 92)
        #expect(chunks.samples.last?.upperBound == Int64(92 * 1536))
        #expect(largestDifference(Array(chunks.probabilities), Array(golden.prefix(92))) < 5e-3)
    }

    @Test("how far a stream is heard at a time changes no bit", arguments: [2 * 1536, 3 * 1536, 24_000, 100_001])
    func pieces(step: Int) throws {
        let audio = voice(seconds: 10)
        let whole = try probabilities(audio, step: audio.count)
        #expect(whole.count > 300)
        #expect(try probabilities(audio, step: step) == whole)
    }

    @Test("what lies further back than the reach changes no bit")
    func reach() throws {
        let audio = voice(seconds: 14)
        let whole = try probabilities(audio, step: audio.count)
        var activity = try VoiceActivity(network: network, sampleRateHz: 48_000, startSample: 100_000)
        activity.append(audio[100_000...], startSample: 100_000)
        let first = (100_000 + activity.reachSamples + 1535) / 1536
        let late = try activity.chunks(in: first * 1536..<Int64(audio.count)).probabilities
        #expect(late.count > 100)
        #expect(Array(late) == Array(whole.suffix(late.count)))
    }

    @Test("blocks that nobody asks for need not be heard, and change no bit")
    func skipping() throws {
        let audio = voice(seconds: 20)
        let whole = try probabilities(audio, step: audio.count)
        var activity = try VoiceActivity(network: network, sampleRateHz: 48_000, startSample: 0)
        for second in 0..<20 as Range<Int> {
            activity.append(audio[second * 48_000..<(second + 1) * 48_000], startSample: Int64(second) * 48_000)
            if second < 15 { activity.forget(before: Int64(second) * 48_000) }
        }
        let chunks = try activity.chunks(in: 14 * 48_000..<20 * 48_000)
        let first = try #require(chunks.samples.first).lowerBound / 1536
        #expect(Array(chunks.probabilities) == Array(whole[Int(first)...]))
    }

    @Test("windows do not depend on the blocks, nor on where the analysis began", arguments: ["silero", "both"])
    func windows(gate: String) throws {
        let method: SpeechGateMethod = gate == "both" ? .both(network) : .silero(network)
        // What begins late must be heard in windows past the reach of where the second analysis begins.
        let audio = [Float](repeating: 0, count: 300_000) + voice(seconds: 6)
        let whole = try analyze(audio, method, from: 0, step: audio.count)
        #expect(whole.contains(where: \.hasSpeech) && !whole.allSatisfy(\.hasSpeech))
        #expect(try analyze(audio, method, from: 0, step: 1021) == whole)
        let start = 70_000
        let late = try analyze(audio, method, from: start, step: 24_000)
        // 4.1 s are the reach.
        let first = Int64((start + 197_000) / 24_000 + 1)
        #expect(late.filter { $0.index >= first } == whole.filter { $0.index >= first })
        #expect(late.contains { $0.index >= first && $0.hasSpeech })
    }

    @Test("plucked notes are loud and uneven, but no voice")
    func music() throws {
        let notes: [Double] = [220, 277.2, 329.6, 440]
        let music = (0..<480_000 as Range<Int>).map { i -> Float in
            let (note, place) = (i / 12_000, Double(i % 12_000) / 48_000)
            let tone = (1...6).reduce(0.0) { $0 + sin(2 * .pi * notes[note % 4] * Double($1) * place) / Double($1) }
            return Float(0.1 * exp(-place / 0.06) * tone)
        }
        #expect(try analyze(music, .energy, from: 0, step: 48_000).contains(where: \.hasSpeech))
        let heard = try analyze(music, .both(network), from: 0, step: 48_000)
        #expect(heard.allSatisfy { $0.outcome == .skipped(.notSpeech) })
    }

    @Test("a file that is no such network is refused")
    func wrongNetwork() {
        #expect(throws: VoiceError.self) {
            try SileroNetwork(modelAt: (Self.path as NSString).deletingLastPathComponent + "/silero_vad_openvino_16k.onnx")
        }
    }

    // MARK: -

    /// Vowels in syllables, with pauses; voice enough for Silero's network in the first second of each stretch.
    private func voice(seconds: Double) -> [Float] {
        let bursts = stride(from: 0.4, to: seconds, by: 3.1).map { ($0, min($0 + 1.9, seconds)) }
        return SyntheticSignals.Utterance(
            burstsSeconds: bursts, speechGain: 1, noiseGain: 0.001, count: Int(seconds * 48_000)
        ).samples
    }

    private func probabilities(_ audio: [Float], step: Int) throws -> [Float] {
        var activity = try VoiceActivity(network: network, sampleRateHz: 48_000, startSample: 0)
        var all: [Float] = []
        for start in stride(from: 0, to: audio.count, by: step) {
            let end = min(start + step, audio.count)
            activity.append(audio[start..<end], startSample: Int64(start))
            all += try activity.chunks(in: Int64(all.count) * 1536..<Int64(end)).probabilities
            activity.forget(before: Int64(all.count) * 1536)
        }
        return all
    }

    private func analyze(_ audio: [Float], _ gate: SpeechGateMethod, from start: Int, step: Int) throws -> [VoiceWindow] {
        var analyzer = try VoiceAnalyzer(
            settings: .init(), classifier: LevelClassifier(), gate: gate, startSample: Int64(start))
        var windows: [VoiceWindow] = []
        for first in stride(from: start, to: audio.count, by: step) {
            windows += try analyzer.append(samples: Array(audio[first..<min(first + step, audio.count)]), startSample: Int64(first))
        }
        return try windows + analyzer.finish()
    }
}

private final class LevelClassifier: VoiceClassifier, VoiceFeatureExtractor {
    func makeExtractor() -> any VoiceFeatureExtractor { self }

    func features(of window: UnsafeBufferPointer<Float>, startSample: Int64, speech: Range<Int>) -> VoiceFeatures {
        VoiceFeatures(image: [window[speech].reduce(0) { $0 + $1 * $1 }, Float(speech.lowerBound), Float(speech.upperBound)])
    }

    func logits(of batch: [VoiceFeatures]) -> [ModelLogits] { batch.map { ModelLogits(plain: $0.image.map { $0 / 10_000 }) } }
}

extension VoiceWindow {
    fileprivate var hasSpeech: Bool { if case .speech = outcome { true } else { false } }
}
