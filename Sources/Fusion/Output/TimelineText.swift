/// The timeline for a person at a terminal: a strip per lane, what the session comes to, and a table of windows.
public enum TimelineText {
    public struct Options: Sendable, Equatable {
        /// Width to fit, in terminal cells; at least 52 are used.
        public let columns: Int
        /// Whether to colour with ANSI sequences. The marks tell the emotions apart without colour too.
        public let usesColour: Bool
        /// The longest windows are listed, this many at most; the rest is counted.
        public let maximumTableRows: Int

        public init(columns: Int = 80, usesColour: Bool = false, maximumTableRows: Int = 40) {
            self.columns = min(max(columns, 52), 1000)
            self.usesColour = usesColour
            self.maximumTableRows = max(maximumTableRows, 0)
        }
    }

    /// Lines that fit the width, each ending in a line feed.
    public static func render(_ timeline: Timeline, options: Options = Options()) -> String {
        let summary = TimelineSummary(timeline)
        let style = TerminalStyle(usesColour: options.usesColour)
        var lines = [title(timeline, summary, options, style), ""]
        lines += strips(timeline, options, style)
        lines.append("")
        if timeline.windows.isEmpty {
            lines += emptyExplanation(summary, options) + [""]
        }
        lines += summaryLines(summary, options)
        let table = table(timeline.windows, options, style)
        if !table.isEmpty { lines += [""] + table }
        return lines.map { $0 + "\n" }.joined()
    }

    private static func title(
        _ timeline: Timeline, _ summary: TimelineSummary, _ options: Options, _ style: TerminalStyle
    ) -> String {
        let length = "  length \(clock(summary.lengthNanoseconds))"
        return style.bold(fitted(printable(timeline.session), columns: options.columns - length.count)) + length
    }

    // MARK: Strips

    private static let labelColumns = 7

    private static func strips(_ timeline: Timeline, _ options: Options, _ style: TerminalStyle) -> [String] {
        let cellCount = options.columns - labelColumns
        let length = max(timeline.lengthNanoseconds, 1)
        var lines = [axis(length: length, cellCount: cellCount)]
        for lane in TimelineLane.allCases {
            let cells = cells(timeline.windows.filter { $0.lane == lane }, length: length, count: cellCount)
            lines.append(padded(lane.rawValue, to: labelColumns) + style.strip(cells))
        }
        let legend = Emotion.allCases.map { style.mark($0) + " " + $0.description } + [TerminalStyle.nothing + " nothing"]
        lines.append(String(repeating: " ", count: labelColumns) + legend.joined(separator: "  "))
        return lines
    }

    /// The emotion that has most of each cell's time; nil where there is none.
    private static func cells(_ windows: [TimelineWindow], length: Int64, count: Int) -> [Emotion?] {
        var times = [SIMD3<Double>](repeating: SIMD3(), count: count)
        let cellLength = Double(length) / Double(count)
        for window in windows {
            let start = Double(window.startNanoseconds) / cellLength
            let end = min(Double(window.endNanoseconds) / cellLength, Double(count))
            guard start < end else { continue }
            for cell in Int(start)..<min(count, Int(end.rounded(.up))) {
                times[cell][window.label.rawValue] += min(end, Double(cell + 1)) - max(start, Double(cell))
            }
        }
        return times.map { $0.max() > 0 ? Emotion(largestOf: $0) : nil }
    }

    private static func axis(length: Int64, cellCount: Int) -> String {
        let step = AxisSteps.seconds(length: length, maximumTickCount: max(1, cellCount / 10))
        var line = String(repeating: " ", count: labelColumns)
        var second: Int64 = 0
        while second * nanosecondsPerSecond <= length {
            let position =
                labelColumns + Int(Double(second * nanosecondsPerSecond) / Double(length) * Double(cellCount))
            let text = "|" + clock(second * nanosecondsPerSecond)
            guard position + text.count <= labelColumns + cellCount else { break }
            if position >= line.count { line = padded(line, to: position) + text }
            second += step
        }
        return line
    }

    // MARK: Summary

    private static func emptyExplanation(_ summary: TimelineSummary, _ options: Options) -> [String] {
        let wasBlind = [Lane.voice, .face].allSatisfy { summary.missingSecondCounts[$0] == summary.secondCount }
        let text =
            wasBlind
            ? "Neither sound nor picture could be examined, so there is no emotion to tell."
            : "No speech and no usable face was found, so there is no emotion to tell. That is a valid result: light, "
                + "distance and loudness decide what can be found."
        return wrapped(text, columns: options.columns)
    }

    private static func summaryLines(_ summary: TimelineSummary, _ options: Options) -> [String] {
        let emotions = Emotion.allCases.map { "\($0) \(percent(summary.share(summary.emotionNanoseconds[$0] ?? 0)))" }
        let nothing = percent(summary.share(max(0, summary.lengthNanoseconds - summary.toldNanoseconds)))
        let lanes = TimelineLane.allCases.filter(\.isEmotion).map {
            "\($0) \(percent(summary.share(summary.laneNanoseconds[$0] ?? 0)))"
        }
        var facts = [
            ("Emotion", emotions.joined(separator: ", ") + ", nothing \(nothing)"),
            ("From", lanes.joined(separator: ", ")), ("Pulse", heartRate(summary)),
        ]
        if summary.contradictionCount > 0 {
            let windows = summary.contradictionCount == 1 ? "1 window" : "\(summary.contradictionCount) windows"
            facts.append(
                ("Against", "signs of stress in the pulse under a positive emotion: \(windows), marked !, "
                    + "\(percent(summary.share(summary.contradictionNanoseconds)))"))
        }
        let missing = Lane.allCases.compactMap { lane in
            summary.missingSecondCounts[lane].flatMap { $0 > 0 ? "\(lane) in \($0) s" : nil }
        }
        if !missing.isEmpty {
            facts.append(("Missing", missing.joined(separator: ", ") + " of \(summary.secondCount) s"))
        }
        return facts.flatMap { name, text in
            wrapped(text, columns: options.columns - 9).enumerated().map { padded($0 == 0 ? name : "", to: 9) + $1 }
        }
    }

    private static func heartRate(_ summary: TimelineSummary) -> String {
        guard let rate = summary.heartRate else { return "heart rate unknown" }
        func bpm(_ value: Double) -> String { FixedPoint.text(value, digits: 0) ?? "?" }
        return "\(bpm(rate.meanBPM)) bpm on average (\(bpm(rate.lowestBPM)) to \(bpm(rate.highestBPM))), known in "
            + "\(rate.secondCount) of \(summary.secondCount) s, mean confidence "
            + (FixedPoint.text(rate.meanConfidence, digits: 2) ?? "?")
    }

    // MARK: Table

    private static func table(_ windows: [TimelineWindow], _ options: Options, _ style: TerminalStyle) -> [String] {
        guard !windows.isEmpty, options.maximumTableRows > 0 else { return [] }
        let longest = windows.enumerated().sorted {
            let lengths = [$0, $1].map { $0.element.endNanoseconds - $0.element.startNanoseconds }
            return (lengths[1], $0.offset) < (lengths[0], $1.offset)
        }
        let listed = longest.prefix(options.maximumTableRows).map(\.element).sorted {
            ($0.startNanoseconds, $0.lane.rank) < ($1.startNanoseconds, $1.lane.rank)
        }
        var lines = ["    start       end  lane   label     pos  neu  neg"]
        lines += listed.map { window in
            let times = [window.startNanoseconds, window.endNanoseconds].map {
                leftPadded(clock($0, tenths: true), to: 9)
            }
            let probabilities = Emotion.allCases.map {
                leftPadded(FixedPoint.text(window.probabilities[$0] * 100, digits: 0) ?? "?", to: 4)
            }
            let lane = window.lane.rawValue + (window.pulse?.contradicts == true ? "!" : "")
            return times.joined(separator: " ") + "  " + padded(lane, to: 7) + style.mark(window.label)
                + " " + padded(window.label.description, to: 8) + probabilities.joined(separator: " ").dropFirst(1)
        }
        let unlisted = windows.count - listed.count
        if unlisted > 0 { lines.append("and \(unlisted) shorter window\(unlisted == 1 ? "" : "s")") }
        return lines
    }

    // MARK: Text

    /// `m:ss`, or `h:mm:ss` from an hour on; with tenths rounded half up if asked, else cut.
    static func clock(_ nanoseconds: Int64, tenths: Bool = false) -> String {
        let deciseconds = (nanoseconds + (tenths ? 50_000_000 : 0)) / 100_000_000
        let seconds = deciseconds / 10
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let minutes = seconds / 60
        let whole =
            minutes < 60
            ? "\(minutes):\(two(seconds % 60))" : "\(minutes / 60):\(two(minutes % 60)):\(two(seconds % 60))"
        return tenths ? "\(whole).\(deciseconds % 10)" : whole
    }

    private static func percent(_ share: Double) -> String { (FixedPoint.text(share * 100, digits: 0) ?? "?") + " %" }

    /// A name from outside, without anything that would steer the terminal.
    private static func printable(_ text: String) -> String {
        var printable = ""
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned:
                printable += "?"
            default: printable.unicodeScalars.append(scalar)
            }
        }
        return printable
    }

    /// Cuts at the width, counting East Asian and pictographic characters as two cells.
    private static func fitted(_ text: String, columns: Int) -> String {
        var width = 0
        var fitted = ""
        for character in text {
            let isWide = character.unicodeScalars.contains { $0.value >= 0x1100 }
            width += isWide ? 2 : 1
            guard width < columns else { return fitted + "~" }
            fitted.append(character)
        }
        return fitted
    }

    private static func wrapped(_ text: String, columns: Int) -> [String] {
        var lines = [""]
        for word in text.split(separator: " ") {
            let last = lines[lines.count - 1]
            if last.isEmpty {
                lines[lines.count - 1] = String(word)
            } else if last.count + 1 + word.count <= columns {
                lines[lines.count - 1] = last + " " + word
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }

    private static func padded(_ text: String, to count: Int) -> String {
        text + String(repeating: " ", count: max(0, count - text.count))
    }

    private static func leftPadded(_ text: String, to count: Int) -> String {
        String(repeating: " ", count: max(0, count - text.count)) + text
    }
}

/// How emotions look on a terminal. Colours are from the palette of Okabe and Ito, which colour-blind readers can tell
/// apart; the marks do without.
private struct TerminalStyle {
    static let nothing = "."
    let usesColour: Bool

    func mark(_ emotion: Emotion) -> String { coloured(Self.glyph(emotion), emotion) }

    /// Runs of equal cells share one colour sequence.
    func strip(_ cells: [Emotion?]) -> String {
        var strip = ""
        var position = 0
        while position < cells.count {
            let emotion = cells[position]
            let run = cells[position...].prefix { $0 == emotion }.count
            position += run
            guard let emotion else {
                strip += String(repeating: Self.nothing, count: run)
                continue
            }
            strip += coloured(String(repeating: Self.glyph(emotion), count: run), emotion)
        }
        return strip
    }

    func bold(_ text: String) -> String { usesColour ? "\u{1B}[1m\(text)\u{1B}[0m" : text }

    private func coloured(_ text: String, _ emotion: Emotion) -> String {
        usesColour ? "\u{1B}[30;48;5;\(Self.colour256(emotion))m\(text)\u{1B}[0m" : text
    }

    private static func glyph(_ emotion: Emotion) -> String {
        switch emotion {
        case .positive: "+"
        case .neutral: "="
        case .negative: "-"
        }
    }

    /// In the 256-colour palette.
    private static func colour256(_ emotion: Emotion) -> Int {
        switch emotion {
        case .positive: 36
        case .neutral: 250
        case .negative: 208
        }
    }
}

/// Round distances between the ticks of a time axis.
enum AxisSteps {
    private static let seconds: [Int64] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200]

    static func seconds(length: Int64, maximumTickCount: Int) -> Int64 {
        let total = length / nanosecondsPerSecond
        return seconds.first { total / $0 < Int64(maximumTickCount) } ?? max(86400, total / Int64(max(maximumTickCount, 1)))
    }
}
