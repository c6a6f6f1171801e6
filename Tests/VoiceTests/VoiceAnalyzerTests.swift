import Foundation
import Inference
import Testing
import Voice

@Suite("Voice analyzer")
struct VoiceAnalyzerTests {
    @Test("windows do not depend on how the samples arrive", arguments: [1, 1021, 24_000, 500_000], [1, 3])
    func blockSizes(blockSamples: Int, batchWindows: Int) throws {
        let audio = speechAndPauses(seconds: 7.3)
        let whole = try analyze([(0, audio)])
        let step = blockSamples == 1 ? 64 : blockSamples
        let blocks = stride(from: 0, to: audio.count, by: step).map {
            (Int64($0), Array(audio[$0..<min($0 + step, audio.count)]))
        }
        #expect(try analyze(blocks, batchWindows: batchWindows) == whole)
        #expect(whole.map(\.index) == Array(0...9))
        #expect(whole.contains { if case .speech = $0.outcome { true } else { false } })
        #expect(whole.contains { $0.outcome == .skipped(.silence) })
    }

    @Test("an analyzer that starts later gives the same windows", arguments: [1, 24_000, 24_001, 100_000] as [Int64])
    func resumed(startSample: Int64) throws {
        let audio = speechAndPauses(seconds: 7.3)
        let whole = try analyze([(0, audio)])
        let first = (startSample + 23_999) / 24_000
        #expect(
            try analyze([(startSample, Array(audio[Int(startSample)...]))], startSample: startSample)
                == whole.filter { $0.index >= first })
    }

    @Test(
        "the last window is the first that reaches the end",
        arguments: [(1, 1), (48_000, 1), (144_000, 1), (144_001, 2), (168_000, 2), (168_001, 3)])
    func windowCount(samples: Int, windows: Int) throws {
        let result = try analyze([(0, [Float](repeating: 0, count: samples))])
        #expect(result.count == windows)
        #expect(result.last?.endNanoseconds == Int64((Double(samples) * 1e9 / 48_000).rounded()))
    }

    @Test("no audio, no window")
    func empty() throws {
        #expect(try analyze([]) == [])
        #expect(try analyze([(0, [])]) == [])
    }

    @Test("a gap is silence")
    func gap() throws {
        let audio = speechAndPauses(seconds: 7.3)
        var silenced = audio
        for i in 100_000..<150_000 { silenced[i] = 0 }
        #expect(
            try analyze([(0, Array(audio[..<100_000])), (150_000, Array(audio[150_000...]))]) == analyze([(0, silenced)]))
    }

    @Test("speech keeps its place in media time, and its end within the audio")
    func bounds() throws {
        let audio = Array(SyntheticSignals.Utterance(burstsSeconds: [(0.4, 2.2)], speechGain: 1, noiseGain: 0.0005).samples[..<96_000])
        let windows = try analyze([(48_000, audio)], startSample: 48_000)
        // Audio in media time 1 to 3 s: the window of index 2 starts at 1 s.
        #expect(windows.map(\.index) == [])
        let late = try analyze([(0, []), (48_000, audio)])
        #expect(late.count == 1)
        guard case .speech(let speech)? = late.first?.outcome else {
            Issue.record("no speech found")
            return
        }
        #expect(abs(speech.startNanoseconds - 1_400_000_000) < 30_000_000)
        #expect(speech.endNanoseconds == 3_000_000_000)
    }

    @Test("overlapping samples, and a clock that leaps, are refused")
    func refusals() throws {
        var analyzer = try VoiceAnalyzer(settings: .init(), classifier: MeanLevelClassifier())
        _ = try analyzer.append(samples: [Float](repeating: 0, count: 1000), startSample: 0)
        #expect(throws: VoiceError.self) { try analyzer.append(samples: [0], startSample: 999) }
        #expect(throws: VoiceError.self) { try analyzer.append(samples: [0], startSample: .max) }
        #expect(throws: VoiceError.self) { try analyzer.append(samples: [0], startSample: .min) }
        #expect(try analyzer.append(samples: [0], startSample: 1000).isEmpty)
        #expect(try analyzer.finish().count == 1)
    }

    @Test("values that are not numbers count as silence")
    func notNumbers() throws {
        let audio = speechAndPauses(seconds: 3)
        var broken = audio
        var muted = audio
        for (i, value) in [(5000, Float.nan), (60_000, .infinity), (70_000, -.infinity)] {
            broken[i] = value
            muted[i] = 0
        }
        #expect(try analyze([(0, broken)]) == analyze([(0, muted)]))
    }

    @Test("a classifier that breaks its contract is an error, not a crash")
    func badClassifier() throws {
        var analyzer = try VoiceAnalyzer(settings: .init(), classifier: SilentClassifier())
        #expect(throws: VoiceError.self) { try analyzer.append(samples: speechAndPauses(seconds: 3), startSample: 0) }
    }

    @Test("softmax of large logits is finite")
    func largeLogits() {
        #expect(softmax([1000, 0, -1000]) == [1, 0, 0])
        #expect(abs(softmax([0.5, 0.5, 0.5])[1] - 1 / 3) < 1e-6)
    }

    // MARK: -

    private func analyze(
        _ blocks: [(Int64, [Float])], startSample: Int64 = 0, batchWindows: Int = 1
    ) throws -> [VoiceWindow] {
        var settings = VoiceSettings()
        settings.batchWindows = batchWindows
        var analyzer = try VoiceAnalyzer(settings: settings, classifier: MeanLevelClassifier(), startSample: startSample)
        var windows: [VoiceWindow] = []
        for (start, samples) in blocks { windows += try analyzer.append(samples: samples, startSample: start) }
        return try windows + analyzer.finish()
    }

    /// Two stretches of speech with 3.4 s of silence between them.
    private func speechAndPauses(seconds: Double) -> [Float] {
        SyntheticSignals.Utterance(
            burstsSeconds: [(0.4, 2.0), (5.4, 7.0)], speechGain: 1, noiseGain: 0.0003, count: Int(seconds * 48_000)
        ).samples
    }
}

/// Logits that tell any two windows apart: from the samples and from the speech's bounds.
private final class MeanLevelClassifier: VoiceClassifier, VoiceFeatureExtractor {
    func makeExtractor() -> any VoiceFeatureExtractor { self }

    func features(of window: UnsafeBufferPointer<Float>, startSample: Int64, speech: Range<Int>) -> VoiceFeatures {
        let energy = window[speech].reduce(Float(0)) { $0 + $1 * $1 }
        return VoiceFeatures(image: [energy, Float(speech.lowerBound), Float(speech.upperBound)])
    }

    func logits(of batch: [VoiceFeatures]) -> [ModelLogits] {
        batch.map { ModelLogits(plain: $0.image.map { $0 / 10_000 }) }
    }
}

private final class SilentClassifier: VoiceClassifier, VoiceFeatureExtractor {
    func makeExtractor() -> any VoiceFeatureExtractor { self }

    func features(of window: UnsafeBufferPointer<Float>, startSample: Int64, speech: Range<Int>) -> VoiceFeatures { VoiceFeatures(image: []) }
    func logits(of batch: [VoiceFeatures]) -> [ModelLogits] { [] }
}
