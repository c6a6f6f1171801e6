import Foundation
import Testing
import Voice

@Suite("Speech gate")
struct SpeechGateTests {
    private let gate = SpeechGate(settings: .init(), sampleRateHz: 48_000)

    private struct Golden: Decodable {
        var speech: [Int]?
        var skipped: String?
    }

    @Test("finds the same speech as librosa's frames and splitting", arguments: SyntheticSignals.cases.keys.sorted())
    func decisions(name: String) throws {
        let golden = try #require(try GoldenFile.json("gate.json", as: [String: Golden].self)[name])
        let samples = try #require(SyntheticSignals.cases[name]).samples
        let finding = samples.withUnsafeBufferPointer { gate.find(in: $0) }
        if let speech = golden.speech {
            #expect(finding == .speech(speech[0]..<speech[1]))
        } else {
            #expect(finding == .skipped(try #require(SkipReason(rawValue: golden.skipped ?? ""))))
        }
    }

    @Test("measures the levels of librosa.feature.rms", arguments: ["one-stretch", "joined"])
    func levels(name: String) throws {
        let golden = try GoldenFile.array("\(name)-rms.npy")
        let samples = try #require(SyntheticSignals.cases[name]).samples
        let levels = samples.withUnsafeBufferPointer { gate.frameLevels(of: $0) }
        #expect(levels.count == 282)
        #expect(largestDifference(levels, golden.values) < 1e-6)
    }

    @Test("hears soft speech over softer noise: -35 dBFS in -55 dBFS")
    func softSpeech() {
        let loud = SyntheticSignals.Utterance(burstsSeconds: [(0.3, 2.8)], speechGain: 1, noiseGain: 0).samples
        let speech = Array(loud[14_400..<134_400])
        let gain = level(-35) / rootMeanSquare(speech)
        // Uniform noise in ±a has the RMS a / √3.
        let noise = SyntheticSignals.whiteNoise(count: loud.count, seed: 3).map { Float($0) * level(-55) * Float(3).squareRoot() }
        let mixed = zip(loud, noise).map { $0 * gain + $1 }
        guard case .speech(let part) = mixed.withUnsafeBufferPointer({ gate.find(in: $0) }) else {
            Issue.record("no speech found")
            return
        }
        #expect(part.clamped(to: 14_400..<134_400).count > 108_000)
    }

    @Test("takes no steady noise for speech, however loud", arguments: [-60, -40, -20, -6] as [Float])
    func steadyNoise(levelDBFS: Float) {
        for noise in [white(seed: 11), pink(seed: 12)] {
            let gain = level(levelDBFS) / rootMeanSquare(noise)
            let samples = noise.map { $0 * gain }
            let finding = samples.withUnsafeBufferPointer { gate.find(in: $0) }
            // At -60 dBFS a swell of pink noise may pass the floor for a moment.
            let reasons: [SkipReason] = levelDBFS < -57 ? [.silence, .tooShort] : [.steadyNoise]
            #expect(reasons.contains { finding == .skipped($0) })
        }
    }

    @Test("takes no slow swell of noise for speech")
    func swell() {
        let swelling = pink(seed: 21).enumerated().map { i, sample in
            sample * 0.02 * (1 + 0.5 * sin(2 * .pi * 0.3 * Float(i) / 48_000))
        }
        #expect(swelling.withUnsafeBufferPointer { gate.find(in: $0) } == .skipped(.steadyNoise))
    }

    @Test("does not count padding as speech, nor its edge as unevenness")
    func padding() {
        let noise = white(seed: 5).map { $0 * 0.1 }
        let padded = noise[0..<72_000] + [Float](repeating: 0, count: 72_000)
        let finding = padded.withUnsafeBufferPointer { gate.find(in: $0, audibleSamples: 72_000) }
        #expect(finding == .skipped(.steadyNoise))
    }

    private func level(_ dBFS: Float) -> Float { pow10(dBFS / 20) }

    private func white(seed: UInt64) -> [Float] {
        SyntheticSignals.whiteNoise(count: SyntheticSignals.windowSamples, seed: seed).map { Float($0) }
    }

    /// White noise through Paul Kellet's filter: -10 dB a decade within 0.05 dB above 9 Hz at 44.1 kHz.
    private func pink(seed: UInt64) -> [Float] {
        var state = [Double](repeating: 0, count: 7)
        return SyntheticSignals.whiteNoise(count: SyntheticSignals.windowSamples + 48_000, seed: seed).map { white in
            state[0] = 0.99886 * state[0] + white * 0.0555179
            state[1] = 0.99332 * state[1] + white * 0.0750759
            state[2] = 0.96900 * state[2] + white * 0.1538520
            state[3] = 0.86650 * state[3] + white * 0.3104856
            state[4] = 0.55000 * state[4] + white * 0.5329522
            state[5] = -0.7616 * state[5] - white * 0.0168980
            let sum = state.reduce(0, +) + white * 0.5362
            state[6] = white * 0.115926
            return Float(sum)
        }.suffix(SyntheticSignals.windowSamples)
    }
}
