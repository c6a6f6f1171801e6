/// The seconds of a session as CSV (RFC 4180, but with line feeds alone), in a canonical form: equal rows are equal
/// bytes. What is not known is an empty field. The columns are explained in docs/output.md.
public enum TimelineCSV {
    /// The names of the columns, without a line end.
    public static let header = columns.map(\.name).joined(separator: ",")

    /// The header, then one line a second.
    public static func lines(_ timeline: Timeline) -> String {
        ([header] + timeline.rows.map(line)).map { $0 + "\n" }.joined()
    }

    /// One second, without a line end.
    public static func line(_ row: SecondRow) -> String {
        columns.map { quoted($0.value(row) ?? "") }.joined(separator: ",")
    }

    private struct Column: Sendable {
        let name: String
        let value: @Sendable (SecondRow) -> String?
    }

    private static let columns = [
        Column(name: "session") { $0.session },
        Column(name: "second") { "\($0.second)" },
        Column(name: "positive") { probability($0.probabilities?.positive) },
        Column(name: "neutral") { probability($0.probabilities?.neutral) },
        Column(name: "negative") { probability($0.probabilities?.negative) },
        Column(name: "valence") { probability($0.valence) },
        Column(name: "sources") { list($0.sources.map(\.rawValue)) },
        Column(name: "faceShare") { share($0.faceShare) },
        Column(name: "speechShare") { share($0.speechShare) },
        Column(name: "heartRateBPM") { row in
            row.pulse?.heartRateBPM.flatMap { FixedPoint.text($0, digits: Digits.heartRate) }
        },
        Column(name: "pulseLabel") { $0.pulse?.label?.description },
        Column(name: "pulsePositive") { probability($0.pulse?.probabilities?.positive) },
        Column(name: "pulseNeutral") { probability($0.pulse?.probabilities?.neutral) },
        Column(name: "pulseNegative") { probability($0.pulse?.probabilities?.negative) },
        Column(name: "heartRateConfidence") { share($0.pulse?.confidence) },
        Column(name: "signalQuality") { share($0.pulse?.signalQuality) },
        Column(name: "faceCount") { row in row.faceCount.map { "\($0)" } },
        Column(name: "missing") { list($0.missing.map(\.rawValue)) },
        Column(name: "contradicts") { row in row.contradicts.map { "\($0)" } },
        Column(name: "viewerShare") { share($0.viewerShare) },
        Column(name: "attention") { share($0.attention) },
    ]

    private static func probability(_ value: Double?) -> String? {
        value.flatMap { FixedPoint.text($0, digits: Digits.probability) }
    }

    private static func share(_ value: Double?) -> String? {
        value.flatMap { FixedPoint.text($0, digits: Digits.share) }
    }

    private static func list(_ names: [String]) -> String { names.joined(separator: "+") }

    private static func quoted(_ field: String) -> String {
        let scalars = field.unicodeScalars
        let needsQuotes = scalars.contains { $0 == "," || $0 == "\"" || $0 == "\r" || $0 == "\n" }
        guard needsQuotes || scalars.first == " " || scalars.last == " " else { return field }
        var quoted = "\""
        for scalar in scalars { quoted.unicodeScalars.append(contentsOf: scalar == "\"" ? [scalar, scalar] : [scalar]) }
        return quoted + "\""
    }
}
