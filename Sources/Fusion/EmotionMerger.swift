/// Merges voice parts and face frames into the emotion windows, by these rules:
///
/// 1. Voice parts are taken in the order of their start (then end, then index). One that starts before the current
///    voice window ends joins it if it has the same label: the window's end is extended and the logits are averaged.
///    With another label it is cut, to start where the current window ends, and becomes the current one; nothing of it
///    may be left, and then it is dropped. One that starts at or after the end begins a new window.
/// 2. A frame whose time lies in a voice window `[start, end)` counts there: the logits of these frames are averaged.
/// 3. A frame speaks for `[previous frame, frame)`, at most for the reach; without a previous frame, for its own
///    duration if known, else for nothing. What of it lies outside voice windows joins the face window that ends where
///    it starts, if that has the same label, or begins a new one. Logits are averaged over the frames of a window.
///
/// Everything is fed in time order, so that sums have one order, and every result is bit-equal however evidence came.
struct EmotionMerger: Sendable {
    /// Voice windows not handed out yet, in time order; the last one may still grow.
    private var groups = Queue<VoiceGroup>()
    private var lastGroupIsOpen = false
    /// Where the last voice window ends.
    private var voiceEnd: Int64 = 0
    /// The first voice window that a frame to come can touch.
    private var groupCursor = 0
    /// Where the last voice window handed out ended: frames to come do not speak for time before it.
    private var handedOutGroupEnd: Int64 = 0
    /// Face windows not handed out yet, in time order; `openRun` may still grow.
    private var runs = Queue<FaceRun>()
    private var openRun: FaceRun?
    private var previousPtsNanoseconds: Int64?
    private let reachNanoseconds: Int64

    init(reachNanoseconds: Int64) {
        self.reachNanoseconds = reachNanoseconds
    }

    /// Up to where it is certain which time lies in voice windows, given that parts starting before `frontier` have
    /// been appended.
    func voiceKnown(upTo frontier: Int64) -> Int64 {
        lastGroupIsOpen ? max(frontier, voiceEnd) : frontier
    }

    mutating func append(_ part: VoicePart) {
        if lastGroupIsOpen, var current = groups.last, part.start < current.end, part.label == current.label {
            current.add(part)
            voiceEnd = current.end
            groups[groups.endPosition - 1] = current
        } else if part.end > voiceEnd {
            groups.append(VoiceGroup(part, start: max(part.start, voiceEnd)))
            voiceEnd = part.end
            lastGroupIsOpen = true
        }
    }

    /// No voice part that starts before `frontier` will come any more.
    mutating func closeVoice(before frontier: Int64) {
        if voiceEnd <= frontier { lastGroupIsOpen = false }
    }

    /// Takes the next frame, whose surroundings in the voice lane must be known; returns what it speaks for, usable or not.
    mutating func append(_ frame: FaceFrame) -> Range<Int64> {
        let spoken = spokenTime(of: frame)
        previousPtsNanoseconds = max(frame.pts, previousPtsNanoseconds ?? 0)
        guard let logits = frame.logits else { return spoken }
        let label = Emotion(largestOf: logits)

        var from = max(spoken.lowerBound, handedOutGroupEnd)
        while groupCursor < groups.endPosition, groups[groupCursor].end <= from { groupCursor += 1 }
        var position = groupCursor
        while from < frame.pts {
            guard position < groups.endPosition, groups[position].start < frame.pts else {
                extendRun(from: from, to: frame.pts, label: label, logits: logits)
                break
            }
            if groups[position].start > from {
                extendRun(from: from, to: groups[position].start, label: label, logits: logits)
            }
            from = max(from, groups[position].end)
            position += 1
        }

        position = groupCursor
        while position < groups.endPosition, groups[position].end <= frame.pts { position += 1 }
        if position < groups.endPosition, groups[position].start <= frame.pts {
            groups[position].face.add(logits)
        }
        return spoken
    }

    /// Hands out the next window in time order, if nothing can change it any more: frames before `faceKnown` and voice
    /// parts as `voiceKnown(upTo:)` says have been appended.
    mutating func removeFinal(faceKnown: Int64) -> EmotionDraft? {
        let run = runs.first ?? openRun
        if let run, groups.first.map({ run.start < $0.start }) ?? true {
            if runs.isEmpty {
                guard isClosed(run, faceKnown: faceKnown) else { return nil }
                openRun = nil
            } else {
                _ = runs.removeFirst()
            }
            return .face(run)
        }
        guard let group = groups.first, !(lastGroupIsOpen && groups.count == 1), faceKnown >= group.end,
            faceSettled(faceKnown) >= group.start
        else { return nil }
        _ = groups.removeFirst()
        groupCursor = max(groupCursor, groups.startPosition)
        handedOutGroupEnd = group.end
        return .voice(group)
    }

    /// Up to where all windows have been handed out, and no window to come can begin.
    func settled(faceKnown: Int64) -> Int64 {
        let pending = [runs.first?.start, openRun?.start, groups.first?.start].compactMap { $0 }.min() ?? endOfTime
        return min(pending, faceSettled(faceKnown))
    }

    /// Frames to come speak for no time before this.
    private func faceSettled(_ faceKnown: Int64) -> Int64 {
        faceKnown == endOfTime ? endOfTime : max(previousPtsNanoseconds ?? 0, faceKnown - reachNanoseconds)
    }

    /// Whether no frame to come can join a face window: one at or after `faceKnown` would have to reach back to its end.
    private func isClosed(_ run: FaceRun, faceKnown: Int64) -> Bool {
        if let previousPtsNanoseconds, previousPtsNanoseconds > run.end { return true }
        return faceKnown == endOfTime || faceKnown - reachNanoseconds > run.end
    }

    private func spokenTime(of frame: FaceFrame) -> Range<Int64> {
        let sinceLast = previousPtsNanoseconds.map { frame.pts - $0 } ?? frame.duration ?? 0
        let reach = min(max(sinceLast, 0), reachNanoseconds, frame.pts)
        return (frame.pts - reach)..<frame.pts
    }

    private mutating func extendRun(from start: Int64, to end: Int64, label: Emotion, logits: SIMD3<Double>) {
        if var run = openRun {
            if run.end == start && run.label == label {
                run.end = end
                run.mean.add(logits)
                openRun = run
                return
            }
            runs.append(run)
        }
        var run = FaceRun(start: start, end: end, label: label)
        run.mean.add(logits)
        openRun = run
    }
}

/// A window about to leave the merger.
enum EmotionDraft: Sendable {
    case voice(VoiceGroup)
    case face(FaceRun)
}

/// Merged voice parts, and the frames in them.
struct VoiceGroup: Sendable {
    let start: Int64
    private(set) var end: Int64
    let label: Emotion
    private(set) var voice = LogitMean()
    private(set) var energySumDBFS = 0.0
    /// Of the last part that has any.
    private(set) var baselineWindows: Double?
    var face = LogitMean()

    init(_ part: VoicePart, start: Int64) {
        self.start = start
        end = part.end
        label = part.label
        add(part)
    }

    mutating func add(_ part: VoicePart) {
        end = max(end, part.end)
        voice.add(part.logits)
        energySumDBFS += part.energyDBFS
        baselineWindows = part.baselineWindows ?? baselineWindows
    }
}

/// Neighbouring stretches that frames of one label speak for.
struct FaceRun: Sendable {
    let start: Int64
    var end: Int64
    let label: Emotion
    var mean = LogitMean()

    init(start: Int64, end: Int64, label: Emotion) {
        self.start = start
        self.end = end
        self.label = label
    }
}

/// A running mean of logits, in double.
struct LogitMean: Sendable {
    private var sum = SIMD3<Double>()
    private(set) var count = 0

    mutating func add(_ logits: SIMD3<Double>) {
        sum += logits
        count += 1
    }

    /// Softmax of the mean; nil without members.
    var probabilities: Probabilities? {
        count == 0 ? nil : Probabilities(softmaxOf: sum / Double(count))
    }
}
