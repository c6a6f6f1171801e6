import Foundation

/// The power of a wave over frequency, fine enough to read a heart rate off.
public struct PowerSpectrum: Sendable {
    /// `power[k]` is at `k * resolutionHz`.
    public let power: [Double]
    public let resolutionHz: Double

    /// Takes off the trend (a cubic), weighs by a Hann window, and pads with zeros: the bins lie closer than 0.5 bpm, the width of
    /// a peak stays that of the window.
    ///
    /// - Parameters:
    ///   - wave: At least 8 points.
    ///   - rateHz: Points in a second.
    public init(of wave: [Double], rateHz: Double) throws(PulseError) {
        let count = wave.count
        guard count >= 8 else { throw .tooShort(samples: count, needed: 8) }
        let level = try PolynomialDetrend(sampleCount: count, degree: 3).detrend(wave)
        let weighted = level.indices.map { index in
            level[index] * (0.5 - 0.5 * cos(2 * .pi * (Double(index) + 0.5) / Double(count)))
        }
        var length = 1
        while Double(length) < max(Double(count), rateHz * 128) { length *= 2 }
        let (real, imaginary) = try RealFourierTransform(length: length).transform(weighted)
        power = real.indices.map { real[$0] * real[$0] + imaginary[$0] * imaginary[$0] }
        resolutionHz = rateHz / Double(length)
    }

    func bins(_ lowHz: Double, _ highHz: Double) -> Range<Int> {
        let low = min(max(0, Int((lowHz / resolutionHz).rounded(.up))), power.count)
        let high = min(max(low, Int((highHz / resolutionHz).rounded(.down)) + 1), power.count)
        return low..<high
    }

    /// The highest local maximum in a band, refined by a parabola; nil if the power only rises or falls, or is 0.
    func peak(lowHz: Double, highHz: Double) -> (frequencyHz: Double, power: Double)? {
        var best: Int?
        for bin in bins(lowHz, highHz) where bin > 0 && bin < power.count - 1 {
            if power[bin] > power[bin - 1], power[bin] >= power[bin + 1], power[bin] > best.map({ power[$0] }) ?? 0 {
                best = bin
            }
        }
        guard let best else { return nil }
        let (before, top, after) = (power[best - 1], power[best], power[best + 1])
        let offset = 0.5 * (before - after) / (before - 2 * top + after)
        return ((Double(best) + offset) * resolutionHz, top)
    }

    /// The power near a frequency and near its double, against the rest of the band, in decibels (de Haan and Jeanne 2013).
    func signalToNoiseDecibels(at frequencyHz: Double, lowHz: Double, highHz: Double) -> Double {
        var (signal, noise) = (0.0, 0.0)
        for bin in bins(lowHz, highHz) {
            let frequency = Double(bin) * resolutionHz
            let isSignal = abs(frequency - frequencyHz) <= 0.1 || abs(frequency - 2 * frequencyHz) <= 0.1
            if isSignal { signal += power[bin] } else { noise += power[bin] }
        }
        guard signal > 0 else { return -60 }
        return noise > 0 ? min(60, max(-60, 10 * log10(signal / noise))) : 60
    }
}
