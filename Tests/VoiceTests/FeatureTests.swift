import Testing
import Voice

@Suite("Features")
struct FeatureTests {
    private struct Golden: Decodable { var speech: [Int]? }

    @Test("MFCC are librosa's within 1e-3 dB", arguments: ["one-stretch", "joined"])
    func mfcc(name: String) throws {
        let golden = try GoldenFile.array("\(name)-mfcc.npy")
        let speech = try #require(try GoldenFile.json("gate.json", as: [String: Golden].self)[name]?.speech)
        let samples = try #require(SyntheticSignals.cases[name]).samples
        let extractor = try CepstralExtractor(settings: .init(), sampleRateHz: 48_000, windowSamples: samples.count)
        let coefficients = samples.withUnsafeBufferPointer { extractor.extract($0, speech: speech[0]..<speech[1]) }
        #expect(extractor.shape == golden.shape)
        #expect(largestDifference(coefficients, golden.values) < 1e-3)
    }

    @Test("log-mel images are openai-whisper's within 1e-4")
    func logMel() throws {
        let golden = try GoldenFile.array("one-stretch-logmel.npy")
        let samples = try #require(SyntheticSignals.cases["one-stretch"]).samples
        let extractor = try LogMelExtractor(settings: .init(), sampleRateHz: 48_000, windowSamples: samples.count)
        let image = samples.withUnsafeBufferPointer { extractor.extract($0) }
        #expect(extractor.shape == golden.shape)
        #expect(largestDifference(image, golden.values) < 1e-4)
    }

    @Test("a window's features do not depend on the windows before it")
    func noMemory() throws {
        let a = try #require(SyntheticSignals.cases["one-stretch"]).samples
        let b = try #require(SyntheticSignals.cases["two-stretches"]).samples
        let used = try CepstralExtractor(settings: .init(), sampleRateHz: 48_000, windowSamples: a.count)
        let fresh = try CepstralExtractor(settings: .init(), sampleRateHz: 48_000, windowSamples: a.count)
        _ = b.withUnsafeBufferPointer { used.extract($0, speech: 4800..<144_000) }
        let again = a.withUnsafeBufferPointer { used.extract($0, speech: 20_000..<100_000) }
        let once = a.withUnsafeBufferPointer { fresh.extract($0, speech: 20_000..<100_000) }
        #expect(again == once)
    }

    @Test("log-mel images of windows that overlap are the same bits as each alone", arguments: [24_000, 48_000, 24_480, 24_001, 143_520, 200_000])
    func sharedFrames(hop: Int) throws {
        let audio = SyntheticSignals.Utterance(
            burstsSeconds: [(0.4, 2.0), (3.4, 5.0), (6, 8)], speechGain: 1, noiseGain: 0.0003, count: 700_000).samples
        let stream = try LogMelExtractor(settings: .init(), sampleRateHz: 48_000, windowSamples: 144_000)
        let alone = try LogMelExtractor(settings: .init(), sampleRateHz: 48_000, windowSamples: 144_000)
        for start in stride(from: 0, through: audio.count - 144_000, by: hop) {
            let same = audio[start..<start + 144_000].withUnsafeBufferPointer { window in
                stream.extract(window, startSample: Int64(start)) == alone.extract(window)
            }
            #expect(same, "window at \(start)")
        }
    }

    @Test("speech weights add up to 1 and lie on the speech only")
    func speechWeights() throws {
        let extractor = try LogMelExtractor(settings: .init(), sampleRateHz: 48_000, windowSamples: 144_000)
        // Steps of 960 samples: half of step 10, all of steps 11 to 19.
        let weights = extractor.speechWeights(of: 10_080..<19_200)
        #expect(weights.count == 150)
        #expect(abs(weights.reduce(0, +) - 1) < 1e-5)
        #expect(weights.indices.filter { weights[$0] > 0 } == Array(10..<20))
        #expect(abs(weights[10] * 2 - weights[11]) < 1e-6)
    }

    @Test("silence gives finite features")
    func silence() throws {
        let silence = [Float](repeating: 0, count: 144_000)
        let mfcc = try CepstralExtractor(settings: .init(), sampleRateHz: 48_000, windowSamples: 144_000)
        let logMel = try LogMelExtractor(settings: .init(), sampleRateHz: 48_000, windowSamples: 144_000)
        silence.withUnsafeBufferPointer {
            #expect(!mfcc.extract($0, speech: 0..<144_000).contains { !$0.isFinite })
            #expect(Set(logMel.extract($0)) == [-1.5])
        }
    }

    @Test("settings out of range are refused", arguments: [0, -5, 100_000])
    func badSettings(transformSize: Int) {
        var settings = CepstralSettings()
        settings.transformSize = transformSize
        #expect(throws: VoiceError.self) {
            try CepstralExtractor(settings: settings, sampleRateHz: 48_000, windowSamples: 144_000)
        }
    }
}
