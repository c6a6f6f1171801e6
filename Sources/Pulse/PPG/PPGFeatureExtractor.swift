import Foundation

/// Turns a blood volume wave into what the PPG network sees: one second that holds a single clean pulse, as signal,
/// Fourier magnitude and Fourier phase.
///
/// The steps are those of the network's original (a study of emotion in DEAP's recordings of 60 s at 128 Hz): linear
/// interpolation, removal of a polynomial trend, band-pass, moving average, standardisation, selection, transform. Here
/// they run on the last seconds only, so the degree of the polynomial is scaled with the length: 50 in 60 s, which
/// removes what is slower than about 0.4 Hz, is 10 in 12 s.
public struct PPGFeatureExtractor: Sendable {
    public let settings: PPGFeatureSettings

    private let clipSamples: Int
    private let windowSamples: Int
    private let detrend: PolynomialDetrend
    private let bandPass: ButterworthBandPass
    private let transform: RealFourierTransform

    /// - Throws: `PulseError.invalidSettings`.
    public init(settings: PPGFeatureSettings = PPGFeatureSettings()) throws(PulseError) {
        guard (8...1000).contains(settings.rateHz), (0.1...60).contains(settings.clipSeconds),
            (settings.clipSeconds...600).contains(settings.windowSeconds), (0...1000).contains(settings.trendDegreePerMinute),
            settings.signalStandardDeviation > 0, settings.signalMean.isFinite
        else {
            throw .invalidSettings(
                "PPG features take a rate of 8-1000 Hz, clips of 0.1-60 s, a window of up to 600 s, a degree of 0-1000 a minute "
                    + "and a standard deviation above 0")
        }
        self.settings = settings
        clipSamples = Int((settings.clipSeconds * settings.rateHz).rounded())
        windowSamples = Int((settings.windowSeconds * settings.rateHz).rounded())
        detrend = try PolynomialDetrend(
            sampleCount: windowSamples,
            degree: Int((settings.trendDegreePerMinute * settings.windowSeconds / 60).rounded()))
        bandPass = try ButterworthBandPass(
            order: settings.bandPassOrder, lowHz: settings.lowHz, highHz: settings.highHz, sampleRateHz: settings.rateHz)
        transform = try RealFourierTransform(length: clipSamples)
    }

    /// The clip at the end of a wave.
    ///
    /// - Parameters:
    ///   - values: The wave, at rising times.
    ///   - timesSeconds: One for each value.
    ///   - endSeconds: The end of the clip.
    /// - Returns: nil if the wave does not cover the window or is flat.
    /// - Throws: `PulseError`.
    public func clip(
        values: [Double], timesSeconds: [Double], endSeconds: Double
    ) throws(PulseError) -> PPGClip? {
        let start = endSeconds - settings.windowSeconds
        guard let first = timesSeconds.first, let last = timesSeconds.last,
            first <= start + settings.edgeSeconds, last >= endSeconds - settings.edgeSeconds
        else { return nil }
        let uniform = try Resampling.interpolate(
            values, timesSeconds: timesSeconds, firstSeconds: start, count: windowSamples, rateHz: settings.rateHz)
        let passed = try bandPass.filterZeroPhase(try detrend.detrend(uniform))
        let smooth = try MovingAverage.mirrored(passed, width: settings.averageWidth)
        let spread = standardDeviation(smooth[...])
        guard spread > 0 else { return nil }
        // A camera's wave and a contact sensor's have different units: the window's own height becomes the unit.
        let clip = smooth.suffix(clipSamples).map { $0 / spread }
        return PPGClip(
            signal: clip.map { ($0 - settings.signalMean) / settings.signalStandardDeviation },
            pulseCount: PeakFinder.peaks(clip, prominence: settings.peakProminence).count)
    }

    /// The three channels, one after the other: signal, magnitude and phase (radians, -pi...pi) of all bins of its Fourier
    /// transform.
    ///
    /// - Parameter signal: One clip.
    /// - Throws: `PulseError.wrongLength`.
    public func channels(of signal: [Double]) throws(PulseError) -> [Double] {
        guard signal.count == clipSamples else { throw .wrongLength(samples: signal.count, needed: clipSamples) }
        let (real, imaginary) = transform.transform(signal)
        var magnitudes = [Double](repeating: 0, count: clipSamples)
        var phases = magnitudes
        for bin in 0..<clipSamples {
            // The upper half mirrors the lower one. The first bin and, of an even length, the middle one are real.
            let isMirrored = bin > clipSamples / 2
            let source = isMirrored ? clipSamples - bin : bin
            let isReal = source == 0 || 2 * source == clipSamples
            let imaginaryPart = isReal ? 0 : (isMirrored ? -imaginary[source] : imaginary[source])
            magnitudes[bin] = hypot(real[source], imaginaryPart)
            phases[bin] = atan2(imaginaryPart, real[source])
        }
        return signal + magnitudes + phases
    }
}

/// One second of a wave, ready for the network.
public struct PPGClip: Sendable, Equatable {
    /// Standardised.
    public var signal: [Double]
    /// How many pulses stand out in it.
    public var pulseCount: Int

    /// Whether the network may judge it.
    public var isSinglePulse: Bool { pulseCount == 1 }
}

/// How the features are made. A model's card states them under `settings`.
public struct PPGFeatureSettings: Sendable, Codable, Equatable {
    public var rateHz = 128.0
    public var clipSeconds = 1.0
    /// The seconds that the filters see; the clip is at their end.
    public var windowSeconds = 12.0
    /// How much of the window may be missing at either end, and is filled with the end value, s.
    public var edgeSeconds = 0.5
    public var trendDegreePerMinute = 50.0
    public var bandPassOrder = 5
    public var lowHz = 0.5
    public var highHz = 40.0
    /// Samples of the moving average.
    public var averageWidth = 10
    /// How far a pulse stands out of its surroundings, in standard deviations of the window.
    public var peakProminence = 0.5
    /// Of the training set's clips, in units of the window's standard deviation.
    public var signalMean = 0.0
    public var signalStandardDeviation = 1.0

    public init() {}
}
