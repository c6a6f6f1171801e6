// Evidence after its checks, in the form and the order in which it is fused.

/// A classified speech part.
struct VoicePart: Sendable, Comparable {
    let index: Int64
    let start: Int64
    let end: Int64
    private(set) var logits: SIMD3<Double>
    let energyDBFS: Double
    /// How much of this person's speech the logits were set against; nil for plain ones.
    private(set) var baselineWindows: Double?
    private let personal: CheckedPersonalEvidence?

    var label: Emotion { Emotion(largestOf: logits) }

    init(_ evidence: VoiceEvidence, settings: FusionSettings) throws(FusionError) {
        try Check.stretch(evidence.startNanoseconds, evidence.endNanoseconds, lane: .voice, settings: settings)
        guard evidence.energyDBFS.isFinite else {
            throw FusionError(code: .measure, lane: .voice, detail: "energyDBFS \(evidence.energyDBFS)")
        }
        index = evidence.index
        start = evidence.startNanoseconds
        end = evidence.endNanoseconds
        logits = try Check.logits(evidence.logits, lane: .voice)
        energyDBFS = Double(evidence.energyDBFS)
        personal = try evidence.personal.map { personal throws(FusionError) in try Check.personal(personal, lane: .voice) }
    }

    /// This part's logits as the person's own, which is heard further with it: parts must come in the order of their starts.
    mutating func personalise(_ person: inout PersonalMean) {
        guard let personal else { return }
        person.add(personal.relativeLogits, from: start, to: end)
        logits = person.logits(plain: logits, personal)
        baselineWindows = person.windows
    }

    static func < (a: VoicePart, b: VoicePart) -> Bool { (a.start, a.end, a.index) < (b.start, b.end, b.index) }
}

/// An examined video frame.
struct FaceFrame: Sendable, Comparable {
    let pts: Int64
    let duration: Int64?
    let logits: SIMD3<Double>?
    let showsViewer: Bool
    let isAttentive: Bool
    let faceCount: Int

    init(_ evidence: FaceEvidence, settings: FusionSettings) throws(FusionError) {
        try Check.moment(evidence.ptsNanoseconds, named: "ptsNanoseconds", lane: .face, settings: settings)
        if let duration = evidence.durationNanoseconds {
            try Check.moment(duration, named: "durationNanoseconds", lane: .face, settings: settings)
        }
        guard evidence.faceCount >= 0 else {
            throw FusionError(code: .measure, lane: .face, detail: "faceCount \(evidence.faceCount)")
        }
        pts = evidence.ptsNanoseconds
        duration = evidence.durationNanoseconds
        if let logits = evidence.logits { self.logits = try Check.logits(logits, lane: .face) } else { logits = nil }
        showsViewer = evidence.showsViewer
        isAttentive = evidence.isAttentive
        faceCount = evidence.faceCount
    }

    static func < (a: FaceFrame, b: FaceFrame) -> Bool { a.pts < b.pts }
}

/// A measured pulse clip.
struct PulsePart: Sendable, Comparable {
    let index: Int64
    let start: Int64
    let end: Int64
    let heartRateBPM: Double?
    let confidence: Double
    let signalQuality: Double
    private(set) var logits: SIMD3<Double>?
    private let personal: CheckedPersonalEvidence?

    init(_ evidence: PulseEvidence, settings: FusionSettings) throws(FusionError) {
        try Check.stretch(evidence.startNanoseconds, evidence.endNanoseconds, lane: .pulse, settings: settings)
        if let rate = evidence.heartRateBPM, !(rate > 0 && rate < 1000) {
            throw FusionError(code: .measure, lane: .pulse, detail: "heartRateBPM \(rate)")
        }
        for (name, share) in [("confidence", evidence.confidence), ("signalQuality", evidence.signalQuality)]
        where !(share >= 0 && share <= 1) {
            throw FusionError(code: .measure, lane: .pulse, detail: "\(name) \(share)")
        }
        index = evidence.index
        start = evidence.startNanoseconds
        end = evidence.endNanoseconds
        heartRateBPM = evidence.heartRateBPM
        confidence = evidence.confidence
        signalQuality = evidence.signalQuality
        if let logits = evidence.logits { self.logits = try Check.logits(logits, lane: .pulse) } else { logits = nil }
        personal = try evidence.personal.map { personal throws(FusionError) in try Check.personal(personal, lane: .pulse) }
    }

    /// This clip's logits as the person's own, which is known better with it: clips must come in the order of their starts. Without a
    /// person, there are none where they mean something only beside what is usual.
    mutating func personalise(_ person: inout PersonalMean, isUsed: Bool) {
        guard let personal, let plain = logits else { return }
        guard isUsed else {
            logits = nil
            return
        }
        person.add(personal.relativeLogits, from: start, to: end)
        logits = person.logits(plain: plain, personal)
    }

    static func < (a: PulsePart, b: PulsePart) -> Bool { (a.start, a.end, a.index) < (b.start, b.end, b.index) }
}

enum Check {
    static func moment(
        _ moment: Int64, named name: String, lane: Lane?, settings: FusionSettings
    ) throws(FusionError) {
        guard moment >= 0 && moment <= settings.maximumSessionNanoseconds else {
            throw FusionError(code: .time, lane: lane, detail: "\(name) \(moment)")
        }
    }

    /// A stretch that is not empty.
    static func stretch(
        _ start: Int64, _ end: Int64, lane: Lane, settings: FusionSettings
    ) throws(FusionError) {
        try moment(start, named: "startNanoseconds", lane: lane, settings: settings)
        try moment(end, named: "endNanoseconds", lane: lane, settings: settings)
        guard start < end else {
            throw FusionError(
                code: .time, lane: lane, detail: "endNanoseconds \(end) is not after startNanoseconds \(start)")
        }
    }

    static func logits(_ logits: [Float], lane: Lane) throws(FusionError) -> SIMD3<Double> {
        guard logits.count == Emotion.allCases.count, logits.allSatisfy(\.isFinite) else {
            throw FusionError(code: .measure, lane: lane, detail: "logits \(logits)")
        }
        return SIMD3(Double(logits[0]), Double(logits[1]), Double(logits[2]))
    }

    static func personal(_ personal: PersonalEvidence, lane: Lane) throws(FusionError) -> CheckedPersonalEvidence {
        let baseline = personal.baseline
        _ = try logits(baseline.populationMeanRelativeLogits, lane: lane)
        _ = try logits(baseline.bias, lane: lane)
        for (name, windows) in [("shrinkageWindows", baseline.shrinkageWindows), ("mixingWindows", baseline.mixingWindows)]
        where !(windows >= 0 && windows <= 1e9) {
            throw FusionError(code: .measure, lane: lane, detail: "\(name) \(windows)")
        }
        return CheckedPersonalEvidence(
            relativeLogits: try logits(personal.relativeLogits, lane: lane), baseline: CheckedBaseline(baseline))
    }
}
