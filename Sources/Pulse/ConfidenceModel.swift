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
    /// What is taken off for every beat a minute below `usualLowestBPM`: few hearts at rest beat slower, but motion and light change
    /// most at low frequencies.
    public var perSlowBeat: Double
    public var usualLowestBPM = 55.0

    /// 0...1. A term that is nil adds nothing.
    public func confidence(_ terms: PulseEvidenceTerms, heartRateBPM: Double) -> Double {
        let decibels = min(highestDecibels, max(lowestDecibels, terms.signalToNoiseDecibels))
        let sum =
            constant + perDecibel * decibels + methodAgreement * (terms.methodAgreement ?? 0)
            + regionAgreement * (terms.regionAgreement ?? 0) + halvesAgreement * terms.halvesAgreement
            + beatAgreement * terms.beatAgreement + beatRegularity * terms.beatRegularity
            - perSlowBeat * max(0, usualLowestBPM - heartRateBPM)
        return 1 / (1 + exp(-sum))
    }

    /// Skin seen from afar. Set on the colour of real faces into which known pulses were multiplied, on areas of
    /// real videos that show no skin, and on noise.
    public static let remote = ConfidenceModel(
        constant: -9.6, perDecibel: 0.25, methodAgreement: 1, regionAgreement: 3.3, halvesAgreement: 0.7,
        beatAgreement: 0, beatRegularity: 7.5, perSlowBeat: 0.15)

    /// A finger on the lens.
    public static let contact = ConfidenceModel(
        constant: -6, perDecibel: 0.4, methodAgreement: 0, regionAgreement: 0, halvesAgreement: 2, beatAgreement: 2,
        beatRegularity: 4, perSlowBeat: 0)
}
