import Foundation
import Fusion

/// The rules of fusion once more, from their text and not from the code: offline, quadratic, and as plain as can be.
struct ReferenceFusion {
    struct Window {
        var lane: TimelineLane
        var start: Int64
        var end: Int64
        var probabilities: [Double]
        var contradicts: Bool?
    }

    struct Row {
        var probabilities: [Double]?
        var sources: [TimelineLane]
        var faceShare: Double
        var viewerShare: Double?
        var attention: Double?
        var speechShare: Double
        var heartRateBPM: Double?
        var pulseProbabilities: [Double]?
        var contradicts: Bool?
    }

    private let scenario: Scenario
    private let voiceWindows: [(start: Int64, end: Int64, members: [Part])]
    private let spoken: [(start: Int64, frame: FaceEvidence)]

    init(_ scenario: Scenario) {
        self.scenario = scenario
        voiceWindows = Self.mergeVoice(Self.personalised(scenario))
        let frames = scenario.face.sorted { $0.ptsNanoseconds < $1.ptsNanoseconds }
        spoken = frames.indices.map { position in
            let pts = frames[position].ptsNanoseconds
            let before =
                position > 0 ? frames[position - 1].ptsNanoseconds : pts - (frames[0].durationNanoseconds ?? 0)
            return (max(before, pts - scenario.settings.frameReachNanoseconds, 0), frames[position])
        }
    }

    struct Part {
        var startNanoseconds: Int64
        var endNanoseconds: Int64
        var logits: [Double]
    }

    /// The voice parts in time order, each set against what the person has said up to and with it.
    static func personalised(_ scenario: Scenario) -> [Part] {
        let inTimeOrder = scenario.voice.sorted {
            ($0.startNanoseconds, $0.endNanoseconds, $0.index) < ($1.startNanoseconds, $1.endNanoseconds, $1.index)
        }
        return inTimeOrder.indices.map { position in
            let part = inTimeOrder[position]
            let known = inTimeOrder[...position].compactMap { other in
                other.personal.map { (other.startNanoseconds, other.endNanoseconds, $0.relativeLogits) }
            }
            let personal = scenario.settings.usesPersonalBaseline ? part.personal : nil
            let logits = personal.map { own(plain: part.logits, $0, known) } ?? part.logits.map(Double.init)
            return Part(startNanoseconds: part.startNanoseconds, endNanoseconds: part.endNanoseconds, logits: logits)
        }
    }

    /// The pulse clips in time order with the logits that count; nil where there are none.
    static func personalisedPulse(_ scenario: Scenario) -> [(clip: PulseEvidence, logits: [Double]?)] {
        let inTimeOrder = scenario.pulse.sorted { $0.startNanoseconds < $1.startNanoseconds }
        return inTimeOrder.indices.map { position in
            let clip = inTimeOrder[position]
            guard let plain = clip.logits, let personal = clip.personal else { return (clip, clip.logits?.map(Double.init)) }
            guard scenario.settings.usesPersonalBaseline else { return (clip, nil) }
            let known = inTimeOrder[...position].compactMap { other in
                other.logits == nil ? nil : other.personal.map { (other.startNanoseconds, other.endNanoseconds, $0.relativeLogits) }
            }
            return (clip, own(plain: plain, personal, known))
        }
    }

    /// - Parameter known: The person's windows up to and with this one, in time order.
    static func own(plain: [Float], _ personal: PersonalEvidence, _ known: [(start: Int64, end: Int64, relative: [Float])]) -> [Double] {
        var windows = 0.0
        var sum = [0.0, 0.0, 0.0]
        for (i, window) in known.enumerated() {
            let earlier = known[..<i].map(\.end).max() ?? window.start
            let share = Double(max(0, window.end - max(window.start, earlier))) / Double(window.end - window.start)
            windows += share
            for c in 0..<3 { sum[c] += share * Double(window.relative[c]) }
        }
        let (k, m) = (Double(personal.baseline.shrinkageWindows), Double(personal.baseline.mixingWindows))
        let a = windows / (windows + m)
        return (0..<3).map { c in
            let usual = (k * Double(personal.baseline.populationMeanRelativeLogits[c]) + sum[c]) / (k + windows)
            return (1 - a) * Double(plain[c]) + a * (Double(personal.relativeLogits[c]) - usual + Double(personal.baseline.bias[c]))
        }
    }

    static func mergeVoice(_ parts: [Part]) -> [(start: Int64, end: Int64, members: [Part])] {
        var windows: [(start: Int64, end: Int64, members: [Part])] = []
        for part in parts {
            guard let last = windows.last, part.startNanoseconds < last.end else {
                windows.append((part.startNanoseconds, part.endNanoseconds, [part]))
                continue
            }
            if label(last.members[0].logits) == label(part.logits) {
                windows[windows.count - 1].members.append(part)
                windows[windows.count - 1].end = max(last.end, part.endNanoseconds)
            } else if part.endNanoseconds > last.end {
                windows.append((last.end, part.endNanoseconds, [part]))
            }
        }
        return windows
    }

    func emotionWindows() -> [Window] {
        let voice = voiceWindows.map { window in
            let frames = spoken.map(\.frame).filter {
                $0.logits != nil && $0.ptsNanoseconds >= window.start && $0.ptsNanoseconds < window.end
            }
            let heard = Self.probabilities(window.members.map(\.logits))
            guard !frames.isEmpty else {
                return Window(lane: .voice, start: window.start, end: window.end, probabilities: heard)
            }
            let seen = Self.probabilities(frames.compactMap(\.logits))
            let weight = scenario.settings.faceWeight
            return Window(
                lane: .fused, start: window.start, end: window.end,
                probabilities: zip(heard, seen).map { $0 * (1 - weight) + $1 * weight })
        }
        return (voice + faceWindows()).sorted { $0.start < $1.start }
    }

    private func faceWindows() -> [Window] {
        var runs: [(start: Int64, end: Int64, logits: [[Float]])] = []
        for (start, frame) in spoken {
            guard let logits = frame.logits else { continue }
            var pieces = start < frame.ptsNanoseconds ? [start..<frame.ptsNanoseconds] : []
            for window in voiceWindows {
                pieces = pieces.flatMap { piece in
                    [
                        piece.lowerBound..<max(piece.lowerBound, min(piece.upperBound, window.start)),
                        min(max(piece.lowerBound, window.end), piece.upperBound)..<piece.upperBound,
                    ].filter { !$0.isEmpty }
                }
            }
            for piece in pieces {
                if let last = runs.last, last.end == piece.lowerBound, Self.label(last.logits[0]) == Self.label(logits) {
                    runs[runs.count - 1].end = piece.upperBound
                    runs[runs.count - 1].logits.append(logits)
                } else {
                    runs.append((piece.lowerBound, piece.upperBound, [logits]))
                }
            }
        }
        return runs.map {
            Window(lane: .face, start: $0.start, end: $0.end, probabilities: Self.probabilities($0.logits))
        }
    }

    func pulseWindows() -> [Window] {
        var windows: [(start: Int64, end: Int64, logits: [[Double]], clips: [PulseEvidence])] = []
        for (clip, logits) in Self.personalisedPulse(scenario) {
            guard let logits else { continue }
            if let last = windows.last, clip.startNanoseconds <= last.end, Self.label(last.logits[0]) == Self.label(logits) {
                windows[windows.count - 1].end = max(last.end, clip.endNanoseconds)
                windows[windows.count - 1].logits.append(logits)
                windows[windows.count - 1].clips.append(clip)
            } else {
                windows.append((clip.startNanoseconds, clip.endNanoseconds, [logits], [clip]))
            }
        }
        let emotion = emotionWindows()
        return windows.map { window in
            let probabilities = Self.probabilities(window.logits)
            let heard = emotion.filter { $0.probabilities.contains { $0 >= 0.6 } }.map { other in
                (time: max(0, min(other.end, window.end) - max(other.start, window.start)), isPositive: Self.label(other.probabilities) == 0)
            }
            let judged = heard.map(\.time).reduce(0, +)
            let positive = heard.filter(\.isPositive).map(\.time).reduce(0, +)
            let isGood = Self.isGood(probabilities, window.clips.map { ($0, 1) }) && judged >= 3_000_000_000
            return Window(
                lane: .pulse, start: window.start, end: window.end, probabilities: probabilities,
                contradicts: isGood ? Self.label(probabilities) == 2 && positive * 2 >= judged : nil)
        }
    }

    /// Whether a pulse label is good enough to be set against an emotion.
    static func isGood(_ probabilities: [Double], _ clips: [(clip: PulseEvidence, weight: Double)]) -> Bool {
        func mean(_ path: KeyPath<PulseEvidence, Double>) -> Double { Self.mean(clips.map { ([$0.clip[keyPath: path]], $0.weight) })?.first ?? 0 }
        return probabilities.contains { $0 >= 0.6 } && mean(\.confidence) >= 0.5 && mean(\.signalQuality) >= 0.5
    }

    func rows() -> [Row] {
        let windows = emotionWindows()
        let pulse = Self.personalisedPulse(scenario)
        return stride(from: 0, to: scenario.sessionEnd, by: 1_000_000_000).map { start in
            let end = min(start + 1_000_000_000, scenario.sessionEnd)
            func overlap(_ from: Int64, _ to: Int64) -> Double { Double(max(0, min(to, end) - max(from, start))) }
            let here = windows.filter { overlap($0.start, $0.end) > 0 }
            let judged = pulse.filter { overlap($0.clip.startNanoseconds, $0.clip.endNanoseconds) > 0 }
            let clips = judged.map(\.clip)
            let length = Double(end - start)
            let probabilities = Self.mean(here.map { ($0.probabilities, overlap($0.start, $0.end)) })
            let pulseProbabilities = Self.mean(
                judged.compactMap { clip, logits in
                    logits.map { (Self.probabilities([$0]), overlap(clip.startNanoseconds, clip.endNanoseconds)) }
                })
            var contradicts: Bool?
            if let probabilities, probabilities.contains(where: { $0 >= 0.6 }), let pulseProbabilities,
                Self.isGood(pulseProbabilities, clips.map { ($0, overlap($0.startNanoseconds, $0.endNanoseconds)) })
            {
                contradicts = Self.label(pulseProbabilities) == 2 && Self.label(probabilities) == 0
            }
            func share(_ counts: (FaceEvidence) -> Bool) -> Double {
                spoken.filter { counts($0.frame) }.map { overlap($0.start, $0.frame.ptsNanoseconds) }.reduce(0, +) / length
            }
            let isExamined = share { _ in true } > 0
            return Row(
                probabilities: probabilities,
                sources: TimelineLane.allCases.filter { lane in here.contains { $0.lane == lane } },
                faceShare: share { $0.logits != nil }, viewerShare: isExamined ? share(\.showsViewer) : nil,
                attention: isExamined ? share(\.isAttentive) : nil,
                speechShare: voiceWindows.map { overlap($0.start, $0.end) }.reduce(0, +) / length,
                heartRateBPM: Self.mean(
                    clips.compactMap { clip in
                        clip.heartRateBPM.map { ([$0], overlap(clip.startNanoseconds, clip.endNanoseconds)) }
                    })?.first,
                pulseProbabilities: pulseProbabilities, contradicts: contradicts)
        }
    }

    static func label(_ logits: [some BinaryFloatingPoint]) -> Int { logits.indices.reduce(0) { logits[$1] > logits[$0] ? $1 : $0 } }

    static func probabilities(_ logits: [[some BinaryFloatingPoint]]) -> [Double] {
        let mean = (0..<3).map { column in logits.map { Double($0[column]) }.reduce(0, +) / Double(logits.count) }
        return softmax(mean[0], mean[1], mean[2])
    }

    static func mean(_ weighted: [([Double], Double)]) -> [Double]? {
        guard let width = weighted.first?.0.count else { return nil }
        let total = weighted.map(\.1).reduce(0, +)
        return (0..<width).map { column in weighted.map { $0.0[column] * $0.1 }.reduce(0, +) / total }
    }
}
