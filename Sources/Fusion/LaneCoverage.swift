/// The moment after every other: the frontier of a lane that is over.
let endOfTime = Int64.max

/// What is known of one lane: which stretches of media time have been examined, and which never will be.
///
/// The outcome depends on the set of stretches only, not on the order in which they were told: where a stretch was both
/// given up and examined, it counts as examined.
struct LaneCoverage: Sendable {
    /// Everything before this has been examined or given up.
    private(set) var frontierNanoseconds: Int64 = 0
    /// Where the lane's track ended; nil while it goes on.
    private(set) var trackEndNanoseconds: Int64?
    /// Whether the track has been told to be over, or never to have been.
    private(set) var hasEnded = false
    /// Known stretches past the frontier: ascending, apart from one another.
    private var pending: [Stretch] = []
    /// What will never be examined: ascending, without overlaps.
    private(set) var losses: [Loss] = []

    struct Stretch: Sendable, Equatable {
        var start: Int64
        var end: Int64
    }

    struct Loss: Sendable, Equatable {
        var start: Int64
        var end: Int64
        var reason: CoverageLoss
    }

    /// `[start, end)` has been examined. Returns whether part of it had been given up before.
    @discardableResult
    mutating func examine(from start: Int64, to end: Int64) -> Bool {
        guard start < end else { return false }
        let recovered = subtractFromLosses(start: start, end: end)
        know(start: start, end: end)
        return recovered
    }

    /// `[start, end)` will never be examined, but for the parts that have been already.
    mutating func giveUp(from start: Int64, to end: Int64, reason: CoverageLoss) {
        for part in unknownParts(start: start, end: end) {
            let position = losses.partitionPoint { $0.start < part.start }
            if position > 0, losses[position - 1].end == part.start, losses[position - 1].reason == reason {
                losses[position - 1].end = part.end
            } else {
                losses.insert(Loss(start: part.start, end: part.end, reason: reason), at: position)
            }
        }
        know(start: start, end: end)
    }

    /// Nothing starts at or after `trackEnd`.
    mutating func end(at trackEnd: Int64) {
        guard !hasEnded else { return }
        hasEnded = true
        trackEndNanoseconds = trackEnd
        subtractFromLosses(start: trackEnd, end: endOfTime)
        know(start: trackEnd, end: endOfTime)
    }

    /// There is no such track: whatever has not been examined never will be.
    mutating func endAbsent() {
        guard !hasEnded else { return }
        hasEnded = true
        giveUp(from: 0, to: endOfTime, reason: .gap)
    }

    /// Whether part of `[start, end)` has been neither examined nor given up.
    func hasUnknown(from start: Int64, to end: Int64) -> Bool {
        start < end && !unknownParts(start: start, end: end).isEmpty
    }

    /// Whether the lane has nothing to say on part of `[start, end)` because it was lost, or on all of it because the
    /// track was over by then.
    func isMissing(from start: Int64, to end: Int64) -> Bool {
        if let trackEndNanoseconds, trackEndNanoseconds <= start { return true }
        let first = losses.partitionPoint { $0.end <= start }
        return first < losses.count && losses[first].start < end
    }

    /// Forgets losses that end at or before a moment.
    mutating func forgetLosses(before moment: Int64) {
        let kept = losses.partitionPoint { $0.end <= moment }
        if kept > 0 { losses.removeFirst(kept) }
    }

    private mutating func know(start: Int64, end: Int64) {
        guard end > frontierNanoseconds, start < end else { return }
        var merged = Stretch(start: start, end: end)
        let low = pending.partitionPoint { $0.end < start }
        let high = pending.partitionPoint { $0.start <= end }
        for stretch in pending[low..<max(low, high)] {
            merged.start = min(merged.start, stretch.start)
            merged.end = max(merged.end, stretch.end)
        }
        guard merged.start > frontierNanoseconds else {
            frontierNanoseconds = merged.end
            pending.removeSubrange(0..<max(low, high))
            return
        }
        pending.replaceSubrange(low..<max(low, high), with: [merged])
    }

    private func unknownParts(start: Int64, end: Int64) -> [Stretch] {
        var parts: [Stretch] = []
        var from = max(start, frontierNanoseconds)
        for stretch in pending[pending.partitionPoint(where: { $0.end <= from })...] where from < end {
            if stretch.start > from { parts.append(Stretch(start: from, end: min(stretch.start, end))) }
            from = max(from, stretch.end)
        }
        if from < end { parts.append(Stretch(start: from, end: end)) }
        return parts
    }

    @discardableResult
    private mutating func subtractFromLosses(start: Int64, end: Int64) -> Bool {
        let low = losses.partitionPoint { $0.end <= start }
        let high = losses.partitionPoint { $0.start < end }
        guard low < high else { return false }
        var rest: [Loss] = []
        for loss in losses[low..<high] {
            if loss.start < start { rest.append(Loss(start: loss.start, end: start, reason: loss.reason)) }
            if loss.end > end { rest.append(Loss(start: end, end: loss.end, reason: loss.reason)) }
        }
        losses.replaceSubrange(low..<high, with: rest)
        return true
    }
}

/// Why a stretch of media time will never be examined by a lane.
public enum CoverageLoss: String, Sendable, Codable, CaseIterable {
    /// The medium itself was lost or unreadable there. Nothing can come any more.
    case gap
    /// The node that examines it has fallen silent. It may still deliver; windows are then amended.
    case missing
}

extension RandomAccessCollection where Index == Int {
    /// The first position whose element does not satisfy the predicate, in a collection where all that do come first.
    func partitionPoint(where belongsBefore: (Element) -> Bool) -> Int {
        var low = startIndex
        var high = endIndex
        while low < high {
            let middle = low + (high - low) / 2
            if belongsBefore(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
