import Fusion

/// One message of a node to the fusion node.
enum Step: CustomStringConvertible {
    case voice(VoiceEvidence)
    case face(FaceEvidence)
    case pulse(PulseEvidence)
    case cover(Lane, Int64, Int64)
    case never(Lane, Int64, Int64, CoverageLoss)
    case endLane(Lane, Int64, present: Bool)
    case endSession(Int64)

    var description: String {
        switch self {
        case .voice(let it): "voice \(it.index)"
        case .face(let it): "face \(it.ptsNanoseconds)"
        case .pulse(let it): "pulse \(it.index)"
        case .cover(let lane, let start, let end): "cover \(lane) \(start) \(end)"
        case .never(let lane, let start, let end, let reason): "never \(lane) \(start) \(end) \(reason)"
        case .endLane(let lane, let end, let present): "end \(lane) \(end) \(present)"
        case .endSession(let end): "end session \(end)"
        }
    }
}

extension FusionState {
    mutating func apply(_ step: Step) throws -> [TimelineEvent] {
        switch step {
        case .voice(let evidence):
            try add(evidence)
            return []
        case .face(let evidence):
            try add(evidence)
            return []
        case .pulse(let evidence):
            try add(evidence)
            return []
        case .cover(let lane, let start, let end):
            return try cover(lane, startNanoseconds: start, endNanoseconds: end)
        case .never(let lane, let start, let end, let reason):
            return try neverCover(lane, startNanoseconds: start, endNanoseconds: end, reason: reason)
        case .endLane(let lane, let end, let present):
            return try endLane(lane, trackEndNanoseconds: end, present: present)
        case .endSession(let end):
            return try endSession(endNanoseconds: end)
        }
    }
}

extension Scenario {
    /// Lane after lane, in time order, covered at the very end.
    func inOrder() -> [Step] {
        var steps = voice.map(Step.voice) + face.map(Step.face) + pulse.map(Step.pulse)
        for lane in Lane.allCases {
            steps += (losses[lane] ?? []).map { .never(lane, $0.lowerBound, $0.upperBound, .gap) }
            if let end = trackEnds[lane] {
                steps += examinedParts(lane, 0..<end).map { .cover(lane, $0.lowerBound, $0.upperBound) }
            }
            steps.append(ending(lane))
        }
        return steps + [.endSession(sessionEnd)]
    }

    /// In any order that keeps the one promise (evidence before its coverage), in batches of any size, batches in any
    /// order, with duplicates of everything.
    func shuffled(_ random: inout Seeded) -> [Step] {
        var streams: [[Step]] = Lane.allCases.map { stream($0, &random) }
        streams += Lane.allCases.map { [ending($0)] }
        streams += Lane.allCases.map { lane in
            (losses[lane] ?? []).map { .never(lane, $0.lowerBound, $0.upperBound, .gap) }
        }
        streams.append([.endSession(sessionEnd)])
        var steps = merge(streams, &random)
        for _ in 0..<random.integer(in: 0...Int64(steps.count)) where !steps.isEmpty {
            let original = Int.random(in: 0..<steps.count, using: &random)
            steps.insert(steps[original], at: Int.random(in: (original + 1)...steps.count, using: &random))
        }
        return steps
    }

    func ending(_ lane: Lane) -> Step { .endLane(lane, trackEnds[lane] ?? 0, present: trackEnds[lane] != nil) }

    /// A lane's own messages: batches, each followed by the coverage that it completes.
    private func stream(_ lane: Lane, _ random: inout Seeded) -> [Step] {
        guard let end = trackEnds[lane] else { return [] }
        let cuts = (0..<random.integer(in: 0...6)).map { _ in random.integer(in: 0...max(end, 1)) }
        let bounds = ([0, end] + cuts.filter { $0 < end }).sorted()
        var batches: [[Step]] = zip(bounds, bounds.dropFirst()).map { start, end in
            examinedParts(lane, start..<end).flatMap { part in
                evidence(lane, startingIn: part).shuffled(using: &random) + [.cover(lane, part.lowerBound, part.upperBound)]
            }
        }
        if random.chance(0.5) { batches.shuffle(using: &random) }
        return batches.flatMap { $0 }
    }

    /// The parts of a stretch that are not lost.
    func examinedParts(_ lane: Lane, _ stretch: Range<Int64>) -> [Range<Int64>] {
        (losses[lane] ?? []).reduce([stretch]) { parts, loss in
            parts.flatMap { part in
                [
                    part.lowerBound..<max(part.lowerBound, min(part.upperBound, loss.lowerBound)),
                    min(max(part.lowerBound, loss.upperBound), part.upperBound)..<part.upperBound,
                ].filter { !$0.isEmpty }
            }
        }
    }

    func evidence(_ lane: Lane, startingIn stretch: Range<Int64>) -> [Step] {
        switch lane {
        case .voice: voice.filter { stretch.contains($0.index * windowHop) }.map(Step.voice)
        case .face: face.filter { stretch.contains($0.ptsNanoseconds) }.map(Step.face)
        case .pulse: pulse.filter { stretch.contains($0.startNanoseconds) }.map(Step.pulse)
        }
    }
}

/// Interleaves streams at random, each in its own order; some streams run far ahead of others.
func merge(_ streams: [[Step]], _ random: inout Seeded) -> [Step] {
    var rest = streams.filter { !$0.isEmpty }.map { $0[...] }
    var steps: [Step] = []
    while !rest.isEmpty {
        let chosen = Int.random(in: 0..<rest.count, using: &random)
        let run = min(rest[chosen].count, random.pick([1, 1, 2, 5, 50]))
        steps += rest[chosen].prefix(run)
        rest[chosen].removeFirst(run)
        if rest[chosen].isEmpty { rest.remove(at: chosen) }
    }
    return steps
}

/// What a run of steps has said, by lane.
struct Outcome: Equatable {
    var emotion: [TimelineWindow] = []
    var pulse: [TimelineWindow] = []
    var rows: [SecondRow] = []
    var endings: [Int64] = []

    init(_ events: [TimelineEvent]) {
        emotion = events.windows.filter(\.lane.isEmotion)
        pulse = events.windows.filter { !$0.lane.isEmotion }
        rows = events.rows
        endings = events.compactMap { if case .ended(let end) = $0 { end } else { nil } }
    }
}
