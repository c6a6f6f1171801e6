import Foundation
import Fusion

/// Sessions drawn as text, on a virtual clock:
///
/// - `frames`: one character each 100 ms from time 0: `+` `o` `-` a frame with that face, `.` a frame without a usable
///   face, a space no frame. Who smiles is attentive.
/// - `voice`: speech parts as `"+ 0.5-2.0"`, in seconds; the position in the list is the window's index.
/// - `pulse`: one character a second: `+` `o` `-` a clip with that label, `.` an unknown one, a space none.
struct Marbles {
    var voice: [String] = []
    var frames = ""
    var pulse = ""
    var pulseQuality = 0.25
    var endSeconds: Double
    var settings = FusionSettings()

    var voiceEvidence: [VoiceEvidence] {
        voice.enumerated().map { index, text in
            let times = text.dropFirst(2).split(separator: "-").map { Double($0) ?? .nan }
            return VoiceEvidence(
                index: Int64(index), startNanoseconds: nanoseconds(times[0]), endNanoseconds: nanoseconds(times[1]),
                logits: logits(text.first ?? " ") ?? [], energyDBFS: -20)
        }
    }

    var faceEvidence: [FaceEvidence] {
        frames.enumerated().filter { $0.element != " " }.map { position, mark in
            FaceEvidence(
                ptsNanoseconds: Int64(position) * 100_000_000, logits: logits(mark), isAttentive: mark == "+",
                faceCount: mark == "." ? 0 : 1)
        }
    }

    var pulseEvidence: [PulseEvidence] {
        pulse.enumerated().filter { $0.element != " " }.map { second, mark in
            let logits = logits(mark)
            return PulseEvidence(
                index: Int64(second), startNanoseconds: nanoseconds(Double(second)),
                endNanoseconds: nanoseconds(Double(second + 1)), heartRateBPM: logits == nil ? nil : 60 + Double(second),
                confidence: logits == nil ? 0 : 0.5, signalQuality: pulseQuality, logits: logits)
        }
    }

    /// All evidence, then all coverage, then the end.
    func events() throws -> [TimelineEvent] {
        var fusion = FusionState(session: "marbles", settings: settings)
        for evidence in voiceEvidence { try fusion.add(evidence) }
        for evidence in faceEvidence { try fusion.add(evidence) }
        for evidence in pulseEvidence { try fusion.add(evidence) }
        var events: [TimelineEvent] = []
        for lane in Lane.allCases {
            events += try fusion.cover(lane, startNanoseconds: 0, endNanoseconds: nanoseconds(endSeconds))
            events += try fusion.endLane(lane, trackEndNanoseconds: nanoseconds(endSeconds), present: true)
        }
        return events + (try fusion.endSession(endNanoseconds: nanoseconds(endSeconds)))
    }

    func windows() throws -> [String] { try events().windows.map(\.marble) }
    func rows() throws -> [SecondRow] { try events().rows }
}

func nanoseconds(_ seconds: Double) -> Int64 { Int64((seconds * 1e9).rounded()) }

/// Logits that lie 2 above the others for the marked emotion; nil for any other mark.
func logits(_ mark: Character) -> [Float]? {
    switch mark {
    case "+": [2, 0, 0]
    case "o": [0, 2, 0]
    case "-": [0, 0, 2]
    default: nil
    }
}

/// The softmax of logits, written out anew.
func softmax(_ x: Double, _ y: Double, _ z: Double) -> [Double] {
    let exponentials = [x, y, z].map { Foundation.exp($0) }
    return exponentials.map { $0 / exponentials.reduce(0, +) }
}

func isClose(_ probabilities: Probabilities?, _ expected: [Double], within tolerance: Double = 1e-12) -> Bool {
    guard let probabilities else { return false }
    return zip(Emotion.allCases, expected).allSatisfy { abs(probabilities[$0] - $1) <= tolerance }
}

extension Emotion {
    var mark: String {
        switch self {
        case .positive: "+"
        case .neutral: "o"
        case .negative: "-"
        }
    }
}

extension TimelineWindow {
    /// `"fused + 0.5-2.0"`, in seconds.
    var marble: String {
        "\(lane) \(label.mark) \(Double(startNanoseconds) / 1e9)-\(Double(endNanoseconds) / 1e9)"
    }
}

extension [TimelineEvent] {
    var windows: [TimelineWindow] { compactMap { if case .window(let window) = $0 { window } else { nil } } }
    var rows: [SecondRow] { compactMap { if case .second(let row) = $0 { row } else { nil } } }
    var retractions: [TimelineRetraction] { compactMap { if case .retracted(let it) = $0 { it } else { nil } } }
    var hasEnded: Bool { contains { if case .ended = $0 { true } else { false } } }
}
