/// The timeline as JSON Lines: one window a line, in a canonical form (fixed keys in a fixed order, fixed precision, no
/// spaces), so that equal timelines are equal bytes. The schema is in docs/output.md.
public enum TimelineJSON {
    /// All final windows, one line each, ordered by lane (voice, face, fused, pulse), then by start.
    public static func lines(_ timeline: Timeline) -> String {
        timeline.windows.map { line($0) + "\n" }.joined()
    }

    /// One window, without a line end.
    public static func line(_ window: TimelineWindow) -> String {
        var object = JSONObject()
        object.add("session", string: window.session)
        object.add("lane", string: window.lane.rawValue)
        object.add("startSeconds", number: FixedPoint.seconds(nanoseconds: window.startNanoseconds))
        object.add("endSeconds", number: FixedPoint.seconds(nanoseconds: window.endNanoseconds))
        object.add("label", string: window.label.description)
        object.add("probabilities", object: probabilities(window.probabilities))
        if window.lane == .fused {
            object.add("voiceProbabilities", object: window.voice.map { probabilities($0.probabilities) })
            object.add("faceProbabilities", object: window.face.map { probabilities($0.probabilities) })
        }
        if let voice = window.voice {
            object.add("voiceWindowCount", number: "\(voice.windowCount)")
            object.add("energyDBFS", number: FixedPoint.text(voice.energyDBFS, digits: Digits.level))
            if let windows = voice.baselineWindows {
                object.add("baselineWindows", number: FixedPoint.text(windows, digits: Digits.windows))
            }
        }
        if let face = window.face { object.add("faceFrameCount", number: "\(face.frameCount)") }
        if let pulse = window.pulse {
            object.add(
                "heartRateBPM", number: pulse.heartRateBPM.flatMap { FixedPoint.text($0, digits: Digits.heartRate) })
            object.add("heartRateConfidence", number: FixedPoint.text(pulse.confidence, digits: Digits.share))
            object.add("signalQuality", number: FixedPoint.text(pulse.signalQuality, digits: Digits.share))
            object.add("pulseClipCount", number: "\(pulse.clipCount)")
            object.add("contradicts", number: pulse.contradicts.map { "\($0)" })
        }
        object.add("missing", strings: window.missing.map(\.rawValue))
        if !window.isFinal { object.add("final", number: "false") }
        if window.revision > 0 { object.add("revision", number: "\(window.revision)") }
        return object.text
    }

    private static func probabilities(_ probabilities: Probabilities) -> JSONObject {
        var object = JSONObject()
        for emotion in Emotion.allCases {
            object.add(
                emotion.description, number: FixedPoint.text(probabilities[emotion], digits: Digits.probability))
        }
        return object
    }
}

/// A JSON object under construction; keys stay in the order in which they are added.
struct JSONObject {
    private var members: [String] = []

    var text: String { "{" + members.joined(separator: ",") + "}" }

    mutating func add(_ key: String, string value: String) {
        members.append("\(Self.quoted(key)):\(Self.quoted(value))")
    }

    /// A number, already written out; nil is `null`.
    mutating func add(_ key: String, number value: String?) {
        members.append("\(Self.quoted(key)):\(value ?? "null")")
    }

    mutating func add(_ key: String, object value: JSONObject?) {
        members.append("\(Self.quoted(key)):\(value?.text ?? "null")")
    }

    mutating func add(_ key: String, strings values: [String]) {
        members.append("\(Self.quoted(key)):[\(values.map(Self.quoted).joined(separator: ","))]")
    }

    /// A JSON string (RFC 8259): quotes, backslashes and control characters escaped, everything else as it is.
    static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            case "\0"..<" ":
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
