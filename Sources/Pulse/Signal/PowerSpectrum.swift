import Foundation

/// Transforms waves, finely enough to read a heart rate off.
struct SpectrumAnalyzer: Sendable {
    let rateHz: Double
    private let transform: RealFourierTransform

    /// - Parameters:
    ///   - rateHz: Points in a second.
    ///   - longestSeconds: The longest wave.
    /// - Throws: `PulseError.invalidSettings`.
    init(rateHz: Double, longestSeconds: Double) throws(PulseError) {
        var length = 1
        // Bins closer than 0.5 bpm.
        while Double(length) < rateHz * max(longestSeconds, 128) { length *= 2 }
        self.rateHz = rateHz
        transform = try RealFourierTransform(length: length)
    }

    /// Takes off the trend (a cubic), weighs by a Hann window, and pads with zeros; the width of a peak stays that of the
    /// window.
    ///
    /// - Parameter wave: At least 8 points.
    func spectrum(of wave: [Double]) throws(PulseError) -> WaveSpectrum {
        let count = wave.count
        guard count >= 8 else { throw .tooShort(samples: count, needed: 8) }
        let level = try PolynomialDetrend(sampleCount: count, degree: 3).detrend(wave)
        let weighted = level.indices.map { index in
            level[index] * (0.5 - 0.5 * cos(2 * .pi * (Double(index) + 0.5) / Double(count)))
        }
        let (real, imaginary) = transform.transform(weighted)
        return WaveSpectrum(real: real, imaginary: imaginary, resolutionHz: rateHz / Double(transform.length))
    }
}

/// The Fourier transform of a wave: bin k is at `k * resolutionHz`.
struct WaveSpectrum {
    var real, imaginary: [Double]
    var resolutionHz: Double
}

/// Power over frequency.
struct PowerSpectrum {
    /// `power[k]` is at `k * resolutionHz`.
    private(set) var power: [Double]
    let resolutionHz: Double

    init(of wave: WaveSpectrum) {
        power = zip(wave.real, wave.imaginary).map { $0 * $0 + $1 * $1 }
        resolutionHz = wave.resolutionHz
    }

    /// The power that waves have in common: the sum of the real parts of the cross-spectra of pairs, 0 where that is
    /// negative. What differs from wave to wave, as noise does, cancels.
    ///
    /// - Parameter pairs: At least one; all of one resolution.
    init(common pairs: [(WaveSpectrum, WaveSpectrum)]) {
        var sum = [Double](repeating: 0, count: pairs.map(\.0.real.count).min() ?? 0)
        for (a, b) in pairs {
            for bin in sum.indices { sum[bin] += a.real[bin] * b.real[bin] + a.imaginary[bin] * b.imaginary[bin] }
        }
        power = sum.map { max(0, $0) }
        resolutionHz = pairs.first?.0.resolutionHz ?? 1
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
