import Inference

/// Skin samples in, one pulse clip a second out.
///
/// A clip follows from the samples of the `reachBackSeconds` before its end and from nothing else: whoever starts
/// anew with those samples gets the same clips, bit for bit.
///
/// ```swift
/// var analyzer = try PulseAnalyzer(settings: PulseSettings(), classifier: nil)
/// for frame in frames {
///     for clip in try analyzer.append(try sampler.sample(frame, face: face)) { ... }
/// }
/// for clip in try analyzer.finish(endNanoseconds: end) { ... }
/// ```
public struct PulseAnalyzer: Sendable {
    public let settings: PulseSettings

    private let classifier: (any PulseClassifier)?
    private let estimator: HeartRateEstimator
    private let clipNanoseconds: Int64
    private let reachBackNanoseconds: Int64
    private var nextIndex: Int64
    /// Those within the reach-back of the next clip, in order.
    private var samples: [SkinSample] = []
    private var latestNanoseconds = Int64.min

    /// - Parameters:
    ///   - network: Tells the heart rate instead of the settings' methods; the samples must bring its pictures.
    ///   - classifier: Labels the clips; nil: they have no label.
    ///   - firstClipIndex: The first clip to give. When resuming, feed the samples of the reach-back before it as well.
    /// - Throws: `PulseError.invalidSettings`.
    public init(
        settings: PulseSettings = PulseSettings(), network: (any PulseMethod)? = nil, classifier: (any PulseClassifier)? = nil,
        firstClipIndex: Int64 = 0
    ) throws(PulseError) {
        guard (0.1...60).contains(settings.clipSeconds),
            (settings.clipSeconds...600).contains(settings.reachBackSeconds),
            (3...settings.reachBackSeconds).contains(settings.minimumSeconds), (10...240).contains(settings.gridRateHz),
            (0.01...settings.minimumSeconds).contains(settings.longestGapSeconds)
        else {
            throw .invalidSettings(
                "clips of 0.1-60 s, a reach-back of up to 600 s and no shorter than a clip, a least stretch of 3 s up to the "
                    + "reach-back, and a grid of 10-240 Hz are possible")
        }
        self.settings = settings
        self.classifier = classifier
        estimator = try HeartRateEstimator(settings: settings, network: network)
        clipNanoseconds = Int64((settings.clipSeconds * 1e9).rounded())
        reachBackNanoseconds = Int64((settings.reachBackSeconds * 1e9).rounded())
        nextIndex = max(0, firstClipIndex)
    }

    /// - Parameter sample: Later than all before it.
    /// - Returns: The clips that end at or before the sample, in order.
    /// - Throws: `PulseError.outOfOrder`; and what the classifier throws.
    public mutating func append(_ sample: SkinSample) throws -> [PulseClip] {
        guard sample.ptsNanoseconds > latestNanoseconds else {
            throw PulseError.outOfOrder(ptsNanoseconds: sample.ptsNanoseconds, after: latestNanoseconds)
        }
        latestNanoseconds = sample.ptsNanoseconds
        let clips = try completeClips(upTo: sample.ptsNanoseconds)
        samples.append(sample)
        return clips
    }

    /// - Parameter endNanoseconds: Where the track ends. The last clip ends there too, if it is not a whole one.
    /// - Returns: The clips that are left.
    public mutating func finish(endNanoseconds: Int64) throws -> [PulseClip] {
        var clips = try completeClips(upTo: endNanoseconds)
        let start = nextIndex * clipNanoseconds
        if start < endNanoseconds {
            clips.append(try clip(from: start, to: endNanoseconds))
            nextIndex += 1
        }
        return clips
    }

    private mutating func completeClips(upTo time: Int64) throws -> [PulseClip] {
        var clips: [PulseClip] = []
        while true {
            let (start, overflow) = nextIndex.multipliedReportingOverflow(by: clipNanoseconds)
            guard !overflow, start <= time, time - start >= clipNanoseconds else { return clips }
            clips.append(try clip(from: start, to: start + clipNanoseconds))
            nextIndex += 1
        }
    }

    private mutating func clip(from start: Int64, to end: Int64) throws -> PulseClip {
        let reachedBack = end - reachBackNanoseconds
        if let kept = samples.firstIndex(where: { $0.ptsNanoseconds >= reachedBack }) {
            samples.removeFirst(kept)
        } else {
            samples.removeAll(keepingCapacity: true)
        }
        let inWindow = samples.prefix { $0.ptsNanoseconds < end }
        var clip = PulseClip(index: nextIndex, startNanoseconds: start, endNanoseconds: end)
        switch try SkinWindow.make(from: inWindow, endNanoseconds: end, settings: settings) {
        case .failure(let unusable):
            clip.unknownReason = unusable.reason
        case .success(let window):
            let estimate = try estimator.estimate(window)
            clip.heartRateBPM = estimate.heartRateBPM
            clip.confidence = estimate.confidence
            clip.signalQuality = estimate.signalQuality
            clip.unknownReason = estimate.unknownReason
            clip.estimate = estimate
            if let rate = estimate.heartRateBPM, end - start == clipNanoseconds, let classifier {
                clip.logits = try classifier.judge(heartRateBPM: rate, wave: estimate.wave, rateHz: settings.gridRateHz)
            }
        }
        return clip
    }
}

/// What the pulse says of one second.
public struct PulseClip: Sendable, Equatable {
    /// The clip starts at `index * clipSeconds`.
    public var index: Int64
    public var startNanoseconds: Int64
    /// A clip length after the start; earlier only for the last clip of a track.
    public var endNanoseconds: Int64
    /// Over the reach-back before the end; nil if unknown.
    public var heartRateBPM: Double?
    /// How likely the heart rate is to lie within 5 bpm of the true one, 0...1. Also given, and low, where it is unknown.
    public var confidence = 0.0
    /// How clean the wave is, 0...1.
    public var signalQuality = 0.0
    /// nil without a classifier, where the heart rate is unknown, and where the clip cannot be judged (the single-pulse network: where
    /// it does not hold a single clean pulse).
    public var logits: ModelLogits?
    /// Set exactly when `heartRateBPM` is nil.
    public var unknownReason: PulseUnknownReason?
    /// What the heart rate was judged by; nil if there was not enough skin.
    public var estimate: HeartRateEstimate?

    public init(index: Int64, startNanoseconds: Int64, endNanoseconds: Int64) {
        self.index = index
        self.startNanoseconds = startNanoseconds
        self.endNanoseconds = endNanoseconds
    }
}
