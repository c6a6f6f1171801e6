/// The timeline as a picture: lanes as strips, the valence, the heart rate, an axis in seconds. A self-contained SVG
/// with a light background, in colours that colour-blind readers can tell apart, with a title and a description for
/// readers who do not see it.
public enum TimelineSVG {
    /// - Parameter width: in pixels, 480 to 8000.
    public static func render(_ timeline: Timeline, width: Int = 960) -> String {
        let picture = Picture(timeline, width: min(max(width, 480), 8000))
        return picture.svg
    }
}

private struct Picture {
    private let timeline: Timeline
    private let summary: TimelineSummary
    private let width: Double
    private let length: Double

    private let left = 76.0
    private let right = 20.0
    private let stripTop = 64.0
    private let stripHeight = 22.0
    private let stripGap = 6.0
    private let curveHeight = 80.0
    private let curveGap = 26.0

    init(_ timeline: Timeline, width: Int) {
        self.timeline = timeline
        summary = TimelineSummary(timeline)
        self.width = Double(width)
        length = max(Double(timeline.lengthNanoseconds) / 1e9, 0.001)
    }

    private var plotWidth: Double { width - left - right }
    private var valenceTop: Double { stripTop + 4 * (stripHeight + stripGap) + curveGap }
    private var heartTop: Double { valenceTop + curveHeight + curveGap }
    private var axisTop: Double { heartTop + curveHeight + 8 }
    private var height: Double { axisTop + 62 }

    var svg: String {
        let size = "width=\"\(Int(width))\" height=\"\(Int(height))\" viewBox=\"0 0 \(Int(width)) \(Int(height))\""
        let parts =
            [
                "<svg xmlns=\"http://www.w3.org/2000/svg\" \(size) role=\"img\" aria-labelledby=\"title description\" "
                    + "font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#222222\">",
                "<title id=\"title\">Emotion timeline of \(escaped(timeline.session))</title>",
                "<desc id=\"description\">\(escaped(description))</desc>",
                "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>",
                text(left, 26, String(timeline.session.prefix(Int(plotWidth / 9))), attributes: "font-size=\"16\" font-weight=\"600\""),
                text(left, 46, description, attributes: "fill=\"#555555\""),
            ] + backgrounds + axis + strips + valence + heartRate + legend + ["</svg>"]
        return parts.map { $0 + "\n" }.joined()
    }

    private var description: String {
        guard summary.toldNanoseconds > 0 else { return "No speech and no usable face was found." }
        let shares = Emotion.allCases.map { emotion in
            let share = summary.share(summary.emotionNanoseconds[emotion] ?? 0)
            return "\(emotion) \(FixedPoint.text(share * 100, digits: 0) ?? "?") %"
        }
        return shares.joined(separator: ", ") + " of \(number(length, digits: 1)) s"
    }

    // MARK: Lanes

    private var backgrounds: [String] {
        TimelineLane.allCases.map { rectangle(left, top(of: $0), plotWidth, stripHeight, fill: "#f2f2f2") }
            + [valenceTop, heartTop].map { rectangle(left, $0, plotWidth, curveHeight, fill: "#fafafa") }
    }

    private var strips: [String] {
        TimelineLane.allCases.flatMap { lane in
            [text(left - 10, top(of: lane) + 15, lane.rawValue, attributes: "text-anchor=\"end\"")]
                + timeline.windows.filter { $0.lane == lane }.map(strip)
        }
    }

    private func top(of lane: TimelineLane) -> Double { stripTop + Double(lane.rank) * (stripHeight + stripGap) }

    private func strip(_ window: TimelineWindow) -> String {
        let start = x(Double(window.startNanoseconds) / 1e9)
        let end = x(Double(window.endNanoseconds) / 1e9)
        let likelihood = FixedPoint.text(window.probabilities[window.label] * 100, digits: 0) ?? "?"
        let times = [window.startNanoseconds, window.endNanoseconds].map(FixedPoint.seconds)
        let contradicts = window.pulse?.contradicts == true
        let title = "\(window.lane) \(times[0])-\(times[1]) s: \(window.label) \(likelihood) %"
            + (contradicts ? ", against the emotion" : "")
        return "<rect x=\"\(number(start))\" y=\"\(number(top(of: window.lane)))\" width=\"\(number(max(end - start, 0.3)))\" "
            + "height=\"\(number(stripHeight))\" fill=\"\(colour(window.label))\"\(contradicts ? " stroke=\"#222222\" stroke-width=\"2\"" : "")><title>\(title)</title></rect>"
    }

    // MARK: Curves

    private var valence: [String] {
        let points = timeline.rows.map { row in row.valence.map { (Double(row.second) + 0.5, $0) } }
        return [
            text(left - 10, valenceTop + 12, "+1", attributes: "text-anchor=\"end\" fill=\"#555555\""),
            text(left - 10, valenceTop + curveHeight / 2 + 4, "valence", attributes: "text-anchor=\"end\""),
            text(left - 10, valenceTop + curveHeight, "-1", attributes: "text-anchor=\"end\" fill=\"#555555\""),
            line(left, valenceTop + curveHeight / 2, left + plotWidth, valenceTop + curveHeight / 2, "#bbbbbb"),
        ] + curve(points, top: valenceTop, lowest: -1, highest: 1, colour: "#222222")
    }

    private var heartRate: [String] {
        let points = timeline.rows.map { row in row.pulse?.heartRateBPM.map { (Double(row.second) + 0.5, $0) } }
        let lowest = ((summary.heartRate?.lowestBPM ?? 60) / 10).rounded(.down) * 10 - 10
        let highest = ((summary.heartRate?.highestBPM ?? 80) / 10).rounded(.up) * 10 + 10
        let isKnown = summary.heartRate != nil
        return [
            text(left - 10, heartTop + 12, number(highest, digits: 0), attributes: "text-anchor=\"end\" fill=\"#555555\""),
            text(left - 10, heartTop + curveHeight / 2 + 4, "heart bpm", attributes: "text-anchor=\"end\""),
            text(
                left - 10, heartTop + curveHeight, number(lowest, digits: 0),
                attributes: "text-anchor=\"end\" fill=\"#555555\""),
        ] + (isKnown ? [] : [
            text(
                left + plotWidth / 2, heartTop + curveHeight / 2 + 4, "unknown",
                attributes: "text-anchor=\"middle\" fill=\"#555555\"")
        ]) + curve(points, top: heartTop, lowest: lowest, highest: highest, colour: "#cc3377")
    }

    /// One line per run of known points; a dot where a known point stands alone.
    private func curve(
        _ points: [(second: Double, value: Double)?], top: Double, lowest: Double, highest: Double, colour: String
    ) -> [String] {
        points.split { $0 == nil }.map { run in
            let positions = run.compactMap { $0 }.map { point in
                let share = (point.value - lowest) / (highest - lowest)
                return (x: x(min(point.second, length)), y: top + curveHeight * (1 - min(max(share, 0), 1)))
            }
            if positions.count == 1 {
                return "<circle cx=\"\(number(positions[0].x))\" cy=\"\(number(positions[0].y))\" r=\"1.5\" "
                    + "fill=\"\(colour)\"/>"
            }
            let path = positions.map { "\(number($0.x)),\(number($0.y))" }.joined(separator: " ")
            return "<polyline points=\"\(path)\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"1.5\" "
                + "stroke-linejoin=\"round\"/>"
        }
    }

    // MARK: Axis and legend

    private var axis: [String] {
        let step = AxisSteps.seconds(length: timeline.lengthNanoseconds, maximumTickCount: Int(plotWidth / 60))
        let ticks = stride(from: 0, through: Int64(length), by: Int64.Stride(step)).flatMap { second in
            let position = x(Double(second))
            return [
                line(position, stripTop, position, axisTop, "#dddddd"),
                text(position, axisTop + 14, "\(second) s", attributes: "text-anchor=\"middle\" fill=\"#555555\""),
            ]
        }
        return [line(left, axisTop, left + plotWidth, axisTop, "#888888")] + ticks
    }

    private var legend: [String] {
        Emotion.allCases.enumerated().flatMap { position, emotion in
            let start = left + Double(position) * 100
            return [
                rectangle(start, axisTop + 30, 14, 14, fill: colour(emotion)),
                text(start + 20, axisTop + 42, emotion.description),
            ]
        }
    }

    /// Okabe and Ito's bluish green and vermilion, and a grey between.
    private func colour(_ emotion: Emotion) -> String {
        switch emotion {
        case .positive: "#009e73"
        case .neutral: "#b0b0b0"
        case .negative: "#d55e00"
        }
    }

    // MARK: Elements

    private func x(_ second: Double) -> Double { left + plotWidth * min(second / length, 1) }

    private func number(_ value: Double, digits: Int = 2) -> String { FixedPoint.text(value, digits: digits) ?? "0" }

    private func text(_ x: Double, _ y: Double, _ content: String, attributes: String = "") -> String {
        "<text x=\"\(number(x))\" y=\"\(number(y))\"\(attributes.isEmpty ? "" : " " + attributes)>\(escaped(content))</text>"
    }

    private func rectangle(_ x: Double, _ y: Double, _ width: Double, _ height: Double, fill: String) -> String {
        "<rect x=\"\(number(x))\" y=\"\(number(y))\" width=\"\(number(width))\" height=\"\(number(height))\" "
            + "fill=\"\(fill)\"/>"
    }

    private func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ stroke: String) -> String {
        "<line x1=\"\(number(x1))\" y1=\"\(number(y1))\" x2=\"\(number(x2))\" y2=\"\(number(y2))\" stroke=\"\(stroke)\"/>"
    }

    /// Text for XML 1.0; characters that it does not allow become a question mark.
    private func escaped(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "\u{FFFE}", "\u{FFFF}": escaped += "?"
            case "\0"..<" " where scalar != "\t" && scalar != "\n" && scalar != "\r": escaped += "?"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
