import Foundation

/// Finds the heart rate in the colour of skin over some seconds, and says how far it can be believed.
///
/// The rate is the highest peak of the power that the waves of different methods and of different parts of the face have in
/// common; of a finger on the lens, the rate of the beats in a narrow band around that peak (of an irregular heart the
/// spectrum has no single peak). Confidence comes from what a pulse has and noise has not: a narrow peak, the same rate by every method, the
/// same wave in every part of the face, the same rate throughout.
public struct HeartRateEstimator: Sendable {
    public let settings: PulseSettings
    private let network: (any PulseMethod)?
    private let spectra: SpectrumAnalyzer

    /// - Parameter network: Tells the rate instead of the settings' methods, of skin seen from afar. These still bear witness: the
    ///   confidence asks whether they agree, and with one another across regions.
    /// - Throws: `PulseError.invalidSettings` if no method is named.
    public init(settings: PulseSettings = PulseSettings(), network: (any PulseMethod)? = nil) throws(PulseError) {
        guard !settings.methods.isEmpty else { throw .invalidSettings("no method to compute the pulse wave by") }
        self.settings = settings
        self.network = network
        spectra = try SpectrumAnalyzer(rateHz: settings.gridRateHz, longestSeconds: settings.reachBackSeconds)
    }

    /// - Parameter window: Skin without a break, at least 1.6 s of it.
    /// - Throws: `PulseError`, for settings that do not fit the window.
    public func estimate(_ window: SkinWindow) throws(PulseError) -> HeartRateEstimate {
        let isContact = window.isContact
        let colourWaves = try PulseWaves(of: window, methods: isContact ? [.red] : settings.methods)
        // Networks give waves of no particular height: how much the colour changes is told by the colour.
        let amplitude = peakToPeak(colourWaves.whole[0])
        var waves = colourWaves
        if let network, !isContact { waves = PulseWaves(whole: try network.wave(of: window.trace)) }
        guard amplitude > 0, let spectral = try spectralRate(of: waves) else {
            return HeartRateEstimate(
                wave: waves.whole[0], amplitude: amplitude, isContact: isContact, unknownReason: .noPulse)
        }
        let beats = try beatRate(of: waves.whole[0], near: spectral.frequencyHz)

        var evidence = PulseEvidenceTerms()
        evidence.signalToNoiseDecibels = spectral.signalToNoiseDecibels
        if !isContact {
            evidence.methodAgreement = try methodAgreement(window, colourWaves, with: spectral.frequencyHz)
            evidence.regionAgreement = try regionAgreement(colourWaves, near: spectral.frequencyHz)
        }
        evidence.halvesAgreement = try halvesAgreement(waves, with: spectral.frequencyHz)
        evidence.beatAgreement = beats.map { agreement($0.meanFrequencyHz - spectral.frequencyHz, widthBPM: 5) } ?? 0
        evidence.beatRegularity = beats.map { 1 - min(1, $0.variation) } ?? 0

        // Noise adds beats but hardly moves a peak: beats are counted only where the wave is as clean as a contact sensor's.
        let rate = 60 * (isContact ? beats?.meanFrequencyHz ?? spectral.frequencyHz : spectral.frequencyHz)
        let model = isContact ? settings.heartRate.contact : settings.heartRate.remote
        let confidence = model.confidence(evidence, heartRateBPM: rate)
        let isUnwitnessed =
            network != nil && !isContact && (evidence.methodAgreement ?? 0) < settings.heartRate.leastWitnessOfNetwork
        var reason: PulseUnknownReason?
        if !isContact, amplitude > settings.heartRate.highestRemoteAmplitude {
            reason = .implausibleAmplitude
        } else if isUnwitnessed {
            reason = .methodsDisagree
        } else if confidence < settings.heartRate.leastConfidence {
            reason = evidence.weakest
        } else if !(settings.heartRate.lowestBPM...settings.heartRate.highestBPM).contains(rate) {
            reason = .noPulse
        }
        return HeartRateEstimate(
            heartRateBPM: reason == nil ? rate : nil, bestGuessBPM: rate,
            confidence: reason == .implausibleAmplitude || isUnwitnessed ? 0 : confidence,
            signalQuality: 1 / (1 + exp(-(spectral.signalToNoiseDecibels - 1) / 2.5)), evidence: evidence,
            wave: waves.whole[0], amplitude: amplitude, isContact: isContact, unknownReason: reason)
    }
}

/// The waves of one window.
private struct PulseWaves {
    /// By method, of all skin together.
    var whole: [[Double]]
    /// By region, then by method; empty with one region.
    var byRegion: [[[Double]]]

    init(whole wave: [Double]) {
        whole = [wave]
        byRegion = []
    }

    init(of window: SkinWindow, methods: [PulseMethodName]) throws(PulseError) {
        func waves(_ trace: ColourTrace) throws(PulseError) -> [[Double]] {
            var waves: [[Double]] = []
            for method in methods { waves.append(try method.method.wave(of: trace)) }
            return waves
        }
        whole = try waves(window.trace)
        byRegion = []
        for trace in window.regionTraces { byRegion.append(try waves(trace)) }
    }

    /// The same, of a part of the window.
    func part(_ range: Range<Int>) -> PulseWaves {
        var part = self
        part.whole = whole.map { Array($0[range]) }
        part.byRegion = byRegion.map { $0.map { Array($0[range]) } }
        return part
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
    /// Whether the skin touched the lens, rather than being seen from afar.
    public var isContact = false
    /// Set exactly when `heartRateBPM` is nil.
    public var unknownReason: PulseUnknownReason?

    public init(
        heartRateBPM: Double? = nil, bestGuessBPM: Double? = nil, confidence: Double = 0, signalQuality: Double = 0,
        evidence: PulseEvidenceTerms = PulseEvidenceTerms(), wave: [Double], amplitude: Double, isContact: Bool = false,
        unknownReason: PulseUnknownReason? = nil
    ) {
        self.heartRateBPM = heartRateBPM
        self.bestGuessBPM = bestGuessBPM
        self.confidence = confidence
        self.signalQuality = signalQuality
        self.evidence = evidence
        self.wave = wave
        self.amplitude = amplitude
        self.isContact = isContact
        self.unknownReason = unknownReason
    }
}

/// Why there is no heart rate.
public enum PulseUnknownReason: String, Sendable, CaseIterable, Codable {
    case noFace, faceTooSmall, faceMoving, faceHidden, colourJumping, tooDark, tooBright
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
            case .faceHidden: .faceHidden
            case .colourJumping: .colourJumping
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

    private func spectralRate(of waves: PulseWaves) throws(PulseError) -> Spectral? {
        let spectrum = try commonSpectrum(of: waves)
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

    /// What the waves of different regions have in common, by different methods; where there is one region or one method only,
    /// what there is.
    private func commonSpectrum(of waves: PulseWaves) throws(PulseError) -> PowerSpectrum {
        func transformed(_ waves: [[Double]]) throws(PulseError) -> [WaveSpectrum] {
            var transformed: [WaveSpectrum] = []
            for wave in waves { transformed.append(try spectra.spectrum(of: wave)) }
            return transformed
        }
        var regions: [[WaveSpectrum]] = []
        for region in waves.byRegion { regions.append(try transformed(region)) }
        var pairs: [(WaveSpectrum, WaveSpectrum)] = []
        if regions.isEmpty {
            let whole = try transformed(waves.whole)
            if whole.count == 1 { return PowerSpectrum(of: whole[0]) }
            for (first, second) in Self.pairs(whole.count, isOrdered: false) { pairs.append((whole[first], whole[second])) }
        } else {
            for (first, second) in Self.pairs(regions.count, isOrdered: true) {
                if waves.whole.count == 1 { pairs.append((regions[first][0], regions[second][0])) }
                for (one, other) in Self.pairs(waves.whole.count, isOrdered: false) {
                    pairs.append((regions[first][one], regions[second][other]))
                }
            }
        }
        return PowerSpectrum(common: pairs)
    }

    /// All pairs of different indices below a count; each once, or in both orders.
    private static func pairs(_ count: Int, isOrdered: Bool) -> [(Int, Int)] {
        (0..<count).flatMap { first in
            (0..<count).compactMap { second in
                first < second || (isOrdered && first > second) ? (first, second) : nil
            }
        }
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

    /// How well each method finds the same rate by itself, over all skin: the mean over POS, CHROM and GREEN, 0...1.
    private func methodAgreement(
        _ window: SkinWindow, _ waves: PulseWaves, with frequencyHz: Double
    ) throws(PulseError) -> Double {
        let methods: [PulseMethodName] = [.pos, .chrom, .green]
        var sum = 0.0
        for method in methods {
            let wave: [Double]
            if let known = settings.methods.firstIndex(of: method) {
                wave = waves.whole[known]
            } else {
                wave = try method.method.wave(of: window.trace)
            }
            let spectrum = PowerSpectrum(of: try spectra.spectrum(of: wave))
            if let peak = spectrum.peak(lowHz: lowHz, highHz: highHz) {
                sum += agreement(peak.frequencyHz - frequencyHz, widthBPM: 5)
            }
        }
        return sum / Double(methods.count)
    }

    /// How much the waves of single regions move together around a frequency: the mean of the correlations of their pairs,
    /// -1...1. nil with one region.
    private func regionAgreement(_ waves: PulseWaves, near frequencyHz: Double) throws(PulseError) -> Double? {
        guard !waves.byRegion.isEmpty else { return nil }
        let pairs = Self.pairs(waves.byRegion.count, isOrdered: false)
        var sum = 0.0
        for method in waves.whole.indices {
            var narrow: [[Double]] = []
            for region in waves.byRegion { narrow.append(try narrowBand(region[method], around: frequencyHz)) }
            sum += pairs.reduce(0) { $0 + correlation(narrow[$1.0], narrow[$1.1]) }
        }
        return sum / Double(max(1, pairs.count * waves.whole.count))
    }

    /// Whether the first and the last two thirds of the window have the rate of the whole, 0...1.
    private func halvesAgreement(_ waves: PulseWaves, with frequencyHz: Double) throws(PulseError) -> Double {
        let count = waves.whole[0].count
        let length = count * 2 / 3
        var sum = 0.0
        for range in [0..<length, (count - length)..<count] {
            if let rate = try spectralRate(of: waves.part(range)) {
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
