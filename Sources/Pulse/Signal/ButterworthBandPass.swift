import Foundation

/// A Butterworth band-pass filter as second-order sections, applied forwards and backwards (zero phase).
///
/// The design is the classical one (analogue prototype, low-pass to band-pass, bilinear transform with pre-warped
/// edges), and gives the transfer function of SciPy's `butter(order, [low, high], "bandpass", fs=rate)`. The
/// application equals SciPy's `filtfilt` and `sosfiltfilt` with their default padding: odd extension by
/// `3 * (2 * order + 1)` samples, and starting states that fit the first sample.
public struct ButterworthBandPass: Sendable, Equatable {
    /// How many samples are added at each end; a signal must have more.
    public let paddingSamples: Int
    private let sections: [Section]

    /// `b[0] + b[1] z^-1 + b[2] z^-2` over `1 + a[1] z^-1 + a[2] z^-2`.
    struct Section: Sendable, Equatable {
        var b0, b1, b2, a1, a2: Double
    }

    /// - Parameters:
    ///   - order: The order of the prototype, 1...12; the band-pass has twice as many poles.
    ///   - lowHz, highHz: The edges (-3 dB for one pass), `0 < lowHz < highHz < sampleRateHz / 2`.
    ///   - sampleRateHz: Samples in a second.
    /// - Throws: `PulseError.invalidSettings`.
    public init(order: Int, lowHz: Double, highHz: Double, sampleRateHz: Double) throws(PulseError) {
        guard (1...12).contains(order), lowHz > 0, lowHz < highHz, highHz < sampleRateHz / 2 else {
            throw .invalidSettings(
                "band-pass of order \(order), \(lowHz)-\(highHz) Hz at \(sampleRateHz) Hz: the order must be 1...12, "
                    + "and 0 < low < high < half the rate")
        }
        // In units of the sample rate, as the bilinear transform s = 2 (z - 1) / (z + 1) wants it.
        let low = 2 * tan(.pi * lowHz / sampleRateHz)
        let high = 2 * tan(.pi * highHz / sampleRateHz)
        let bandwidth = high - low
        let centreSquared = low * high

        var sections: [Section] = []
        var gain = pow(bandwidth, Double(order))
        // The prototype's poles lie on the left half of the unit circle in conjugate pairs: the upper ones are enough.
        for index in 0..<(order + 1) / 2 {
            let angle = Double.pi * Double(2 * index + order + 1) / Double(2 * order)
            let isReal = 2 * index + 1 == order
            let prototype = Complex(isReal ? -1 : cos(angle), isReal ? 0 : sin(angle))
            // s^2 - p B s + w0^2 = 0
            let half = prototype * Complex(bandwidth / 2, 0)
            let root = (half * half - Complex(centreSquared, 0)).squareRoot
            for pole in [half + root, half - root] {
                let digital = (Complex(2, 0) + pole) / (Complex(2, 0) - pole)
                if isReal {
                    // Both roots of the real prototype pole make one section (a conjugate or a real pair).
                    let other = (Complex(2, 0) + half - root) / (Complex(2, 0) - half + root)
                    gain /= ((Complex(2, 0) - half - root) * (Complex(2, 0) - half + root)).real
                    sections.append(
                        Section(b0: 1, b1: 0, b2: -1, a1: -(digital + other).real, a2: (digital * other).real))
                    break
                }
                gain /= (Complex(2, 0) - pole).squaredMagnitude
                sections.append(
                    Section(b0: 1, b1: 0, b2: -1, a1: -2 * digital.real, a2: digital.squaredMagnitude))
            }
        }
        // Zeros at s = 0 (order of them) map to z = 1 with a factor of 2 each; those at infinity to z = -1.
        gain *= pow(2, Double(order))
        sections[0].b0 *= gain
        sections[0].b2 *= gain
        self.sections = sections
        paddingSamples = 3 * (2 * order + 1)
    }

    /// Filters forwards and backwards.
    ///
    /// - Parameter signal: More than `paddingSamples` samples.
    /// - Returns: As many samples.
    /// - Throws: `PulseError.tooShort`.
    public func filterZeroPhase(_ signal: [Double]) throws(PulseError) -> [Double] {
        guard signal.count > paddingSamples, let first = signal.first, let last = signal.last else {
            throw .tooShort(samples: signal.count, needed: paddingSamples + 1)
        }
        var extended: [Double] = []
        extended.reserveCapacity(signal.count + 2 * paddingSamples)
        for offset in stride(from: paddingSamples, through: 1, by: -1) { extended.append(2 * first - signal[offset]) }
        extended += signal
        for offset in 1...paddingSamples { extended.append(2 * last - signal[signal.count - 1 - offset]) }

        filter(&extended)
        extended.reverse()
        filter(&extended)
        extended.reverse()
        return Array(extended[paddingSamples..<paddingSamples + signal.count])
    }

    /// One pass in place, transposed direct form II, as if the first sample had lasted for ever before.
    private func filter(_ signal: inout [Double]) {
        guard var held = signal.first else { return }
        for section in sections {
            // The steady state for a constant input of 1 (SciPy's lfilter_zi), times the level that reaches the section.
            let level = (section.b0 + section.b1 + section.b2) / (1 + section.a1 + section.a2)
            var state2 = (section.b2 - section.a2 * level) * held
            var state1 = (section.b1 - section.a1 * level) * held + state2
            held *= level
            for index in signal.indices {
                let input = signal[index]
                let output = section.b0 * input + state1
                state1 = section.b1 * input - section.a1 * output + state2
                state2 = section.b2 * input - section.a2 * output
                signal[index] = output
            }
        }
    }
}

/// As much complex arithmetic as the filter's design needs.
struct Complex {
    var real, imaginary: Double

    init(_ real: Double, _ imaginary: Double) {
        self.real = real
        self.imaginary = imaginary
    }

    var squaredMagnitude: Double { real * real + imaginary * imaginary }

    /// The principal root.
    var squareRoot: Complex {
        let magnitude = hypot(real, imaginary)
        let root = Complex(((magnitude + real) / 2).squareRoot(), ((magnitude - real) / 2).squareRoot())
        return imaginary < 0 ? Complex(root.real, -root.imaginary) : root
    }

    static func + (a: Complex, b: Complex) -> Complex { Complex(a.real + b.real, a.imaginary + b.imaginary) }
    static func - (a: Complex, b: Complex) -> Complex { Complex(a.real - b.real, a.imaginary - b.imaginary) }
    static func * (a: Complex, b: Complex) -> Complex {
        Complex(a.real * b.real - a.imaginary * b.imaginary, a.real * b.imaginary + a.imaginary * b.real)
    }
    static func / (a: Complex, b: Complex) -> Complex {
        let scale = 1 / b.squaredMagnitude
        return Complex(
            (a.real * b.real + a.imaginary * b.imaginary) * scale,
            (a.imaginary * b.real - a.real * b.imaginary) * scale)
    }
}
