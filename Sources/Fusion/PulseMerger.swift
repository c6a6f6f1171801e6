/// Merges neighbouring pulse clips of one label into pulse windows: clips are neighbours where one starts no later than
/// the window before it ends. Clips that overlap with different labels are cut as voice windows are. A clip without a
/// label makes no window; its heart rate and quality still count in the seconds.
struct PulseMerger: Sendable {
    private var closed = Queue<PulseRun>()
    private var open: PulseRun?

    mutating func append(_ clip: PulsePart) {
        guard let logits = clip.logits else { return }
        let label = Emotion(largestOf: logits)
        var start = clip.start
        if var run = open {
            if clip.start <= run.end && label == run.label {
                run.add(clip, logits: logits)
                open = run
                return
            }
            start = max(start, run.end)
            guard clip.end > start else { return }
            closed.append(run)
        }
        var run = PulseRun(start: start, label: label)
        run.add(clip, logits: logits)
        open = run
    }

    /// Hands out the next window in time order, if no clip starting at or after `frontier` can change it, and all emotion in
    /// it is final: up to `emotionSettled`.
    mutating func removeFinal(frontier: Int64, emotionSettled: Int64) -> PulseRun? {
        if let run = closed.first {
            return run.end <= emotionSettled ? closed.removeFirst() : nil
        }
        guard let run = open, run.end < frontier, run.end <= emotionSettled else { return nil }
        open = nil
        return run
    }

    /// Where the first window starts that has not been handed out; nil if there is none.
    var firstStart: Int64? { closed.first?.start ?? open?.start }
}

/// Neighbouring pulse clips of one label.
struct PulseRun: Sendable {
    let start: Int64
    private(set) var end: Int64
    let label: Emotion
    private(set) var mean = LogitMean()
    private var heartRateSumBPM = 0.0
    private var heartRateCount = 0
    private var confidenceSum = 0.0
    private var qualitySum = 0.0

    init(start: Int64, label: Emotion) {
        self.start = start
        end = start
        self.label = label
    }

    mutating func add(_ clip: PulsePart, logits: SIMD3<Double>) {
        end = max(end, clip.end)
        mean.add(logits)
        confidenceSum += clip.confidence
        qualitySum += clip.signalQuality
        if let rate = clip.heartRateBPM {
            heartRateSumBPM += rate
            heartRateCount += 1
        }
    }

    var share: TimelineWindow.PulseShare { share(contradicts: nil) }

    func share(contradicts: Bool?) -> TimelineWindow.PulseShare {
        TimelineWindow.PulseShare(
            heartRateBPM: heartRateCount == 0 ? nil : heartRateSumBPM / Double(heartRateCount),
            confidence: confidenceSum / Double(mean.count), signalQuality: qualitySum / Double(mean.count),
            clipCount: mean.count, contradicts: contradicts)
    }
}
