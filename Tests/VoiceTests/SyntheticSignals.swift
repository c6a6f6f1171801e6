import Foundation

/// The signals of golden/signals.py, sample for sample.
enum SyntheticSignals {
    static let rateHz = 48_000.0
    static let windowSamples = 144_000

    struct Utterance {
        var burstsSeconds: [(Double, Double)]
        var speechGain: Double
        var noiseGain: Double
        var count = windowSamples
        var seed: UInt64 = 7

        /// Vowels with four syllables a second during the bursts, over white noise.
        var samples: [Float] {
            var samples = whiteNoise(count: count, seed: seed).map { $0 * noiseGain }
            let vowel = voiced(count: count)
            for (start, end) in burstsSeconds {
                let first = Int((start * rateHz).rounded())
                for i in min(first, count)..<min(Int((end * rateHz).rounded()), count) {
                    let syllable = 0.55 - 0.45 * cos(2 * .pi * 4 * Double(i - first) / rateHz)
                    samples[i] += speechGain * syllable * vowel[i]
                }
            }
            return samples.map { Float($0) }
        }
    }

    static let cases: [String: Utterance] = [
        "one-stretch": Utterance(burstsSeconds: [(0.4, 2.7)], speechGain: 1, noiseGain: 0.001),
        "joined": Utterance(burstsSeconds: [(0.2, 0.9), (1.15, 1.8), (2.4, 2.9)], speechGain: 0.5, noiseGain: 0.0005),
        "two-stretches": Utterance(burstsSeconds: [(0.1, 1.2), (1.7, 2.95)], speechGain: 0.3, noiseGain: 0),
        "too-short": Utterance(burstsSeconds: [(1.0, 1.7)], speechGain: 1, noiseGain: 0.0002),
        "hiss": Utterance(burstsSeconds: [], speechGain: 0, noiseGain: 0.03),
        "soft-hiss": Utterance(burstsSeconds: [], speechGain: 0, noiseGain: 0.0017),
        "nothing": Utterance(burstsSeconds: [], speechGain: 0, noiseGain: 0),
    ]

    /// Uniform in [-1, 1), from Knuth's 64-bit linear congruential generator.
    static func whiteNoise(count: Int, seed: UInt64) -> [Double] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state >> 40) / Double(1 << 23) - 1
        }
    }

    private static func voiced(count: Int) -> [Double] {
        var formants: [(b1: Double, b2: Double, y1: Double, y2: Double)] = [(700.0, 90.0), (1220, 110), (2600, 160)].map {
            let radius = exp(-Double.pi * $0.1 / rateHz)
            return (2 * radius * cos(2 * .pi * $0.0 / rateHz), -radius * radius, 0, 0)
        }
        var phase = 0.0
        return (0..<count).map { i in
            phase += (120 + 30 * sin(2 * .pi * 0.7 * Double(i) / rateHz)) / rateHz
            var x = 0.0
            if phase >= 1 {
                phase -= 1
                x = 3
            }
            for f in formants.indices {
                let (b1, b2, y1, y2) = formants[f]
                let y = (1 - b1 - b2) * x + b1 * y1 + b2 * y2
                formants[f] = (b1, b2, y, y1)
                x = y
            }
            return x
        }
    }
}
