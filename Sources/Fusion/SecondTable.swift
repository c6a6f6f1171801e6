let nanosecondsPerSecond: Int64 = 1_000_000_000

/// Gathers what is known of each second until its row is handed out.
struct SecondTable: Sendable {
    /// The next second to hand out.
    private(set) var nextSecond: Int64 = 0
    private var sums: [Int64: SecondSums] = [:]

    mutating func add(_ window: TimelineWindow) {
        forEachSecond(from: window.startNanoseconds, to: window.endNanoseconds) { sums, overlap in
            sums.emotion += window.probabilities.vector * Double(overlap)
            sums.emotionTime += overlap
            sums.sources.insert(window.lane)
            if window.voice != nil { sums.speechTime += overlap }
        }
    }

    mutating func add(_ frame: FaceFrame, speakingFor spoken: Range<Int64>) {
        let second = frame.pts / nanosecondsPerSecond
        sums[second, default: SecondSums()].faceCount = max(sums[second]?.faceCount ?? 0, frame.faceCount)
        forEachSecond(from: spoken.lowerBound, to: spoken.upperBound) { sums, overlap in
            sums.examinedTime += overlap
            if frame.logits != nil { sums.faceTime += overlap }
            if frame.showsViewer { sums.viewerTime += overlap }
            if frame.isAttentive { sums.attentiveTime += overlap }
        }
    }

    mutating func add(_ clip: PulsePart) {
        forEachSecond(from: clip.start, to: clip.end) { sums, overlap in
            sums.pulse.add(clip, time: overlap)
        }
    }

    /// Hands out the next row, ending at `end` at the latest; the caller knows that nothing before its end is missing.
    mutating func removeNext(session: String, endingAt end: Int64, missing: [Lane]) -> SecondRow {
        let sums = sums.removeValue(forKey: nextSecond) ?? SecondSums()
        defer { nextSecond += 1 }
        return sums.row(
            session: session, second: nextSecond, length: end - nextSecond * nanosecondsPerSecond, missing: missing)
    }

    private mutating func forEachSecond(from start: Int64, to end: Int64, _ body: (inout SecondSums, Int64) -> Void) {
        var from = start
        while from < end {
            let second = from / nanosecondsPerSecond
            let to = min(end, (second + 1) * nanosecondsPerSecond)
            body(&sums[second, default: SecondSums()], to - from)
            from = to
        }
    }
}

/// What has been gathered of one second. Times are in nanoseconds, and exact, so that shares do not depend on order.
private struct SecondSums: Sendable {
    var emotion = SIMD3<Double>()
    var emotionTime: Int64 = 0
    var sources: Set<TimelineLane> = []
    var faceTime: Int64 = 0
    /// What frames speak for, with or without a face.
    var examinedTime: Int64 = 0
    var viewerTime: Int64 = 0
    var attentiveTime: Int64 = 0
    var speechTime: Int64 = 0
    var faceCount: Int?
    var pulse = PulseSums()

    func row(session: String, second: Int64, length: Int64, missing: [Lane]) -> SecondRow {
        func share(_ time: Int64) -> Double { length > 0 ? min(1, Double(time) / Double(length)) : 0 }
        return SecondRow(
            session: session, second: second,
            probabilities: emotionTime == 0 ? nil : Probabilities(emotion / Double(emotionTime)),
            sources: TimelineLane.allCases.filter(sources.contains),
            faceShare: share(faceTime), viewerShare: examinedTime == 0 ? nil : share(viewerTime),
            attention: examinedTime == 0 ? nil : share(attentiveTime), speechShare: share(speechTime), faceCount: faceCount,
            pulse: pulse.mean, missing: missing)
    }
}

private struct PulseSums: Sendable {
    private var time: Int64 = 0
    private var confidence = 0.0
    private var signalQuality = 0.0
    private var rateTime: Int64 = 0
    private var rateBPM = 0.0
    private var labelTime: Int64 = 0
    private var probabilities = SIMD3<Double>()

    mutating func add(_ clip: PulsePart, time overlap: Int64) {
        let weight = Double(overlap)
        time += overlap
        confidence += clip.confidence * weight
        signalQuality += clip.signalQuality * weight
        if let rate = clip.heartRateBPM {
            rateTime += overlap
            rateBPM += rate * weight
        }
        if let logits = clip.logits {
            labelTime += overlap
            probabilities += Probabilities(softmaxOf: logits).vector * weight
        }
    }

    var mean: SecondRow.Pulse? {
        guard time > 0 else { return nil }
        return SecondRow.Pulse(
            heartRateBPM: rateTime == 0 ? nil : rateBPM / Double(rateTime),
            confidence: confidence / Double(time), signalQuality: signalQuality / Double(time),
            probabilities: labelTime == 0 ? nil : Probabilities(probabilities / Double(labelTime)))
    }
}
