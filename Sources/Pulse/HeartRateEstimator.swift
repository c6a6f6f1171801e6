import Foundation

/// Finds the heart rate in the colour of skin over some seconds, and says how far it can be believed.
///
/// The rate is the highest peak of the wave's spectrum; of a finger on the lens, that of the beats in a narrow band around
/// the peak (of an irregular heart the spectrum has no single peak). Confidence comes from what a pulse has and noise has not: a narrow
/// peak, the same rate by other methods, in other parts of the face and in both halves of the window.
public struct HeartRateEstimator: Sendable {
    public let settings: PulseSettings

    public init(settings: PulseSettings = PulseSettings()) {
        self.settings = settings
    }

    /// - Parameter window: Skin without a break, at least 1.6 s of it.
    /// - Throws: `PulseError`, for settings that do not fit the window.
    public func estimate(_ window: SkinWindow) throws(PulseError) -> HeartRateEstimate {
        let isContact = window.isContact
        let method = isContact ? PulseMethodName.red : settings.method
        let wave = try method.method.wave(of: window.trace)
        let amplitude = peakToPeak(wave)
        guard amplitude > 0, let spectral = try spectralRate(of: wave) else {
            return HeartRateEstimate(wave: wave, amplitude: amplitude, unknownReason: .noPulse)
        }
        let beats = try beatRate(of: wave, near: spectral.frequencyHz)

        var evidence = PulseEvidenceTerms()
        evidence.signalToNoiseDecibels = spectral.signalToNoiseDecibels
        evidence.methodAgreement = try methodAgreement(
            window.trace, with: spectral.frequencyHz, others: others(than: method, isContact: isContact))
        evidence.regionAgreement = try regionAgreement(window.regionTraces, near: spectral.frequencyHz)
        evidence.halvesAgreement = try halvesAgreement(wave, with: spectral.frequencyHz)
        evidence.beatAgreement = beats.map { agreement($0.meanFrequencyHz - spectral.frequencyHz, widthBPM: 5) } ?? 0
        evidence.beatRegularity = beats.map { 1 - min(1, $0.variation) } ?? 0

        let model = isContact ? settings.heartRate.contact : settings.heartRate.remote
        let confidence = model.confidence(evidence)
        // Noise adds beats but hardly moves a peak: beats are counted only where the wave is as clean as a contact sensor's.
        let rate = 60 * (isContact ? beats?.meanFrequencyHz ?? spectral.frequencyHz : spectral.frequencyHz)
        var reason: PulseUnknownReason?
        if !isContact, amplitude > settings.heartRate.highestRemoteAmplitude {
            reason = .implausibleAmplitude
        } else if confidence < settings.heartRate.leastConfidence {
            reason = evidence.weakest
        } else if !(settings.heartRate.lowestBPM...settings.heartRate.highestBPM).contains(rate) {
            reason = .noPulse
        }
        return HeartRateEstimate(
            heartRateBPM: reason == nil ? rate : nil, bestGuessBPM: rate,
            confidence: reason == .implausibleAmplitude ? 0 : confidence,
            signalQuality: 1 / (1 + exp(-(spectral.signalToNoiseDecibels - 1) / 2.5)), evidence: evidence,
            wave: wave, amplitude: amplitude, unknownReason: reason)
    }

    private func others(than method: PulseMethodName, isContact: Bool) -> [PulseMethodName] {
        isContact ? [] : [.pos, .chrom, .green].filter { $0 != method }
    }
}

/// What an estimate found.
public struct HeartRateEstimate: Sendable, Equatable {
    /// nil when it is not to be believed.
    public var heartRateBPM: Double?
    /// The rate before asking whether it can be believed; nil without any peak. For evaluation, never to be shown as a result.
    public var bestGuessBPM: Double?
    /// How likely the heart rate is to lie within 5 bpm of the true one, 0...1.
    public var confidence = 0.0
    /// How clean the wave is, from its signal-to-noise ratio, 0...1.
    public var signalQuality = 0.0
    public var evidence = PulseEvidenceTerms()
    /// Of the method that was used, on the grid of the window: rising where there is more blood.
    public var wave: [Double]
    /// The wave's height, peak to peak, as a share of the mean colour (between the 5th and 95th percentile).
    public var amplitude: Double
    /// Set exactly when `heartRateBPM` is nil.
    public var unknownReason: PulseUnknownReason?
}

/// Why there is no heart rate.
public enum PulseUnknownReason: String, Sendable, CaseIterable, Codable {
    case noFace, faceTooSmall, faceMoving, tooDark, tooBright
    /// Less skin without a break than a heart rate needs.
    case tooShort
    case frameRateTooLow
    /// No peak where heart rates are, or no colour change at all.
    case noPulse
    /// The peak does not stand out of the noise.
    case weakSignal
    case methodsDisagree
    case regionsDisagree
    /// The rate is not the same throughout the window, or its beats do not follow it.
    case unsteady
    /// The colour changes more than blood can make it change.
    case implausibleAmplitude

    init(_ problem: SkinProblem) {
        self =
            switch problem {
            case .noFace: .noFace
            case .faceTooSmall: .faceTooSmall
            case .faceMoving: .faceMoving
            case .tooDark: .tooDark
            case .tooBright: .tooBright
            }
    }
}

// The steps.
extension HeartRateEstimator {
    private struct Spectral {
        var frequencyHz, signalToNoiseDecibels: Double
    }

    private var lowHz: Double { settings.heartRate.lowestBPM / 60 }
    private var highHz: Double { settings.heartRate.highestBPM / 60 }

    private func spectralRate(of wave: [Double]) throws(PulseError) -> Spectral? {
        let spectrum = try PowerSpectrum(of: wave, rateHz: settings.gridRateHz)
        guard var peak = spectrum.peak(lowHz: lowHz, highHz: highHz) else { return nil }
        let half = peak.frequencyHz / 2
        if half > lowHz, let lower = spectrum.peak(lowHz: half * 0.94, highHz: half * 1.06),
            lower.power >= settings.heartRate.halfFrequencyShare * peak.power
        {
            peak = lower
        }
        return Spectral(
            frequencyHz: peak.frequencyHz,
            signalToNoiseDecibels: spectrum.signalToNoiseDecibels(at: peak.frequencyHz, lowHz: lowHz, highHz: 4))
    }

    /// The mean rate of the beats in the band around a frequency, and how much their intervals vary (the standard deviation by
    /// the mean). nil with fewer than four beats.
    private func beatRate(
        of wave: [Double], near frequencyHz: Double
    ) throws(PulseError) -> (meanFrequencyHz: Double, variation: Double)? {
        let narrow = try narrowBand(wave, around: frequencyHz)
        // What lies at the very ends of a zero-phase filter is made up in part.
        let margin = 0.2 * settings.gridRateHz
        var times: [Double] = []
        for peak in PeakFinder.peaks(narrow) where narrow[peak] > 0 {
            let (before, top, after) = (narrow[peak - 1], narrow[peak], narrow[peak + 1])
            let bend = before - 2 * top + after
            let time = Double(peak) + (bend < 0 ? 0.5 * (before - after) / bend : 0)
            if time > margin, time < Double(narrow.count) - margin { times.append(time / settings.gridRateHz) }
        }
        guard times.count >= 4 else { return nil }
        let intervals = zip(times.dropFirst(), times).map { $0 - $1 }
        let interval = mean(intervals[...])
        return (1 / interval, standardDeviation(intervals[...]) / interval)
    }

    private func narrowBand(_ wave: [Double], around frequencyHz: Double) throws(PulseError) -> [Double] {
        let filter = try ButterworthBandPass(
            order: 2, lowHz: settings.heartRate.beatBandLow * frequencyHz,
            highHz: min(settings.heartRate.beatBandHigh * frequencyHz, 0.45 * settings.gridRateHz),
            sampleRateHz: settings.gridRateHz)
        return try filter.filterZeroPhase(wave)
    }

    /// How well other methods find the same rate, 0...1; nil if there are none.
    private func methodAgreement(
        _ trace: ColourTrace, with frequencyHz: Double, others: [PulseMethodName]
    ) throws(PulseError) -> Double? {
        guard !others.isEmpty else { return nil }
        var sum = 0.0
        for other in others {
            if let rate = try spectralRate(of: try other.method.wave(of: trace)) {
                sum += agreement(rate.frequencyHz - frequencyHz, widthBPM: 5)
            }
        }
        return sum / Double(others.count)
    }

    /// How much the waves of single regions move together around a frequency: the mean of the correlations of their pairs, -1...1. nil with one region.
    ///
    /// Noise of the camera and of the codec differs from region to region; a pulse is the same in all of them.
    private func regionAgreement(_ traces: [ColourTrace], near frequencyHz: Double) throws(PulseError) -> Double? {
        guard traces.count > 1 else { return nil }
        var waves: [[Double]] = []
        for trace in traces { waves.append(try narrowBand(try settings.method.method.wave(of: trace), around: frequencyHz)) }
        var (sum, pairs) = (0.0, 0.0)
        for first in waves.indices {
            for second in (first + 1)..<waves.count {
                sum += correlation(waves[first], waves[second])
                pairs += 1
            }
        }
        return sum / pairs
    }

    /// Whether the first and the last two thirds of the window have the rate of the whole, 0...1.
    private func halvesAgreement(_ wave: [Double], with frequencyHz: Double) throws(PulseError) -> Double {
        let length = wave.count * 2 / 3
        var sum = 0.0
        for part in [wave.prefix(length), wave.suffix(length)] {
            if let rate = try spectralRate(of: Array(part)) {
                sum += agreement(rate.frequencyHz - frequencyHz, widthBPM: 8) / 2
            }
        }
        return sum
    }

    /// 1 for no difference, 0.37 for a difference of the width.
    private func agreement(_ differenceHz: Double, widthBPM: Double) -> Double {
        let share = 60 * differenceHz / widthBPM
        return exp(-share * share)
    }
}

/// The range between the 5th and the 95th percentile.
private func peakToPeak(_ wave: [Double]) -> Double {
    let sorted = wave.sorted()
    guard sorted.count >= 2 else { return 0 }
    return sorted[(sorted.count - 1) * 95 / 100] - sorted[(sorted.count - 1) * 5 / 100]
}

func correlation(_ a: [Double], _ b: [Double]) -> Double {
    let (meanA, meanB) = (mean(a[...]), mean(b[...]))
    var (ab, aa, bb) = (0.0, 0.0, 0.0)
    for (x, y) in zip(a, b) {
        ab += (x - meanA) * (y - meanB)
        aa += (x - meanA) * (x - meanA)
        bb += (y - meanB) * (y - meanB)
    }
    return aa > 0 && bb > 0 ? ab / (aa * bb).squareRoot() : 0
}
