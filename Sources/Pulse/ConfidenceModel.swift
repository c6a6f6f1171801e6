import Foundation

/// What speaks for a heart rate, each number the larger the better.
public struct PulseEvidenceTerms: Sendable, Equatable, Codable {
    /// Power at the rate and its double against the rest of the band, dB.
    public var signalToNoiseDecibels = -60.0
    /// 0...1; nil if only one method fits.
    public var methodAgreement: Double?
    /// -1...1; nil with one region of skin.
    public var regionAgreement: Double?
    /// 0...1.
    public var halvesAgreement = 0.0
    /// How near the rate of the beats is to that of the spectrum, 0...1.
    public var beatAgreement = 0.0
    /// 1 less the variation of the intervals between beats, 0...1.
    public var beatRegularity = 0.0

    public init() {}

    /// The term that is farthest below what a good pulse has.
    var weakest: PulseUnknownReason {
        let shortfalls: [(PulseUnknownReason, Double)] = [
            (.weakSignal, (3 - signalToNoiseDecibels) / 6), (.methodsDisagree, 1 - (methodAgreement ?? 1)),
            (.regionsDisagree, 0.8 - (regionAgreement ?? 1)), (.unsteady, 1 - halvesAgreement),
        ]
        return shortfalls.max { $0.1 < $1.1 }?.0 ?? .weakSignal
    }
}

/// A logistic model of how likely a rate is to be right, given its evidence.
public struct ConfidenceModel: Sendable, Codable, Equatable {
    public var constant: Double
    public var perDecibel: Double
    /// The ratio is cut to this range before it counts, dB.
    public var lowestDecibels = -8.0
    public var highestDecibels = 10.0
    public var methodAgreement: Double
    public var regionAgreement: Double
    public var halvesAgreement: Double
    public var beatAgreement: Double
    public var beatRegularity: Double
    /// For the lesser of two: how much the regions agree (0...1; one region counts as `agreementOfOneRegion`), and how regular the beats
    /// are, from 0 at `leastRegularity` to 1 at `fullRegularity`. Light that changes makes regions agree, but does not beat; and what beats by
    /// chance does not in all regions.
    public var regularAgreement = 0.0
    public var agreementOfOneRegion = 0.5
    /// What filtered noise has, on average.
    public var leastRegularity = 0.7
    public var fullRegularity = 0.95
    /// What is taken off for every beat a minute below `usualLowestBPM`: few hearts at rest beat slower, but motion and light change
    /// most at low frequencies.
    public var perSlowBeat: Double
    public var usualLowestBPM = 55.0

    /// 0...1. A term that is nil adds nothing, save to `regularAgreement`.
    public func confidence(_ terms: PulseEvidenceTerms, heartRateBPM: Double) -> Double {
        let decibels = min(highestDecibels, max(lowestDecibels, terms.signalToNoiseDecibels))
        let sum =
            constant + perDecibel * decibels + methodAgreement * (terms.methodAgreement ?? 0)
            + regionAgreement * (terms.regionAgreement ?? 0) + halvesAgreement * terms.halvesAgreement
            + beatAgreement * terms.beatAgreement + beatRegularity * terms.beatRegularity
            + regularAgreement * min(max(0, terms.regionAgreement ?? agreementOfOneRegion), regularity(of: terms))
            - perSlowBeat * max(0, usualLowestBPM - heartRateBPM)
        return 1 / (1 + exp(-sum))
    }

    /// 0...1.
    private func regularity(of terms: PulseEvidenceTerms) -> Double {
        min(1, max(0, (terms.beatRegularity - leastRegularity) / (fullRegularity - leastRegularity)))
    }

    /// Skin seen from afar. A logistic regression on semi-synthetic clips with and without a pulse, on the colour of real faces into which
    /// known pulses were multiplied, on areas of real videos that show no skin, on light that changes and on noise:
    /// `Models/training/pulse_evaluation.md`. The signal-to-noise ratio adds nothing: a common spectrum is clean wherever the waves have
    /// little in common.
    public static let remote = ConfidenceModel(
        constant: -4.8, perDecibel: 0, methodAgreement: 0.65, regionAgreement: 0, halvesAgreement: 2.9,
        beatAgreement: 0, beatRegularity: 0, regularAgreement: 5.05, perSlowBeat: 0.15)

    /// A finger on the lens.
    public static let contact = ConfidenceModel(
        constant: -6, perDecibel: 0.4, methodAgreement: 0, regionAgreement: 0, halvesAgreement: 2, beatAgreement: 2,
        beatRegularity: 4, perSlowBeat: 0)
}
