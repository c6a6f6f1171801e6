import Foundation
import Pulse

/// A fixed sequence of random numbers (SplitMix64), so that every run tests the same signals.
struct FixedRandom: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Standard normal (Box and Muller).
    mutating func normal() -> Double {
        let (u, v) = (Double.random(in: 1e-12..<1, using: &self), Double.random(in: 0..<1, using: &self))
        return (-2 * log(u)).squareRoot() * cos(2 * .pi * v)
    }
}

/// Skin with a pulse, under light that drifts, seen by a camera with noise.
struct SyntheticSkin {
    var heartRateBPM: Double?
    /// Peak to peak in green, as a share of the colour.
    var strength = 0.008
    /// Of a region's mean, code values.
    var noise = 0.05
    var frameRateHz = 30.0
    /// How irregular the frame times are, as a share of the frame's duration.
    var timeJitter = 0.0
    var lightDrift = 0.02
    var regions: [SkinRegion] = [.forehead, .rightCheek, .leftCheek]

    func samples(seconds: Double, seed: UInt64, from start: Double = 0) -> [SkinSample] {
        var random = FixedRandom(state: seed)
        let phase = Double.random(in: 0..<(2 * .pi), using: &random)
        return (0..<Int(seconds * frameRateHz)).map { frame in
            let jitter = timeJitter * Double.random(in: -0.5..<0.5, using: &random)
            let time = start + (Double(frame) + 0.5 + jitter) / frameRateHz
            let light = 1 + lightDrift * sin(2 * .pi * 0.15 * time + phase)
            let depth = 0.5 * strength * (heartRateBPM.map { wave(2 * .pi * $0 / 60 * time + phase) } ?? 0)
            var colours: [SkinRegion: ColourMean] = [:]
            for region in regions {
                func seen(_ level: Double, _ share: Double) -> Double {
                    level * light * (1 - share * depth) + noise * random.normal()
                }
                colours[region] = ColourMean(
                    red: seen(170, 0.33 / 0.77), green: seen(120, 1), blue: seen(95, 0.53 / 0.77), pixelCount: 2000)
            }
            return SkinSample(
                ptsNanoseconds: Int64((time * 1e9).rounded()), outcome: .usable(SkinColours(regions: colours)))
        }
    }

    /// Two harmonics: a steep rise, a slow fall.
    private func wave(_ phase: Double) -> Double { 0.8 * cos(phase) + 0.3 * cos(2 * phase - 0.8) }
}

/// All clips of some samples.
func clips(
    of samples: [SkinSample], settings: PulseSettings = PulseSettings(), firstClipIndex: Int64 = 0,
    endSeconds: Double? = nil
) throws -> [PulseClip] {
    var analyzer = try PulseAnalyzer(settings: settings, firstClipIndex: firstClipIndex)
    var clips: [PulseClip] = []
    for sample in samples { clips += try analyzer.append(sample) }
    let end = endSeconds.map { Int64($0 * 1e9) } ?? ((samples.last?.ptsNanoseconds ?? 0) + 1)
    return clips + (try analyzer.finish(endNanoseconds: end))
}
