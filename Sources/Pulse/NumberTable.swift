/// Text with a header line of column names and a line of numbers for each moment, separated by commas.
public enum NumberTable {
    /// Colour means of skin that were measured elsewhere: columns `time_ms` (or `time`), `R`, `G`, `B`, one line for each frame.
    ///
    /// Times count from the first line's: they may be those of any clock.
    ///
    /// - Returns: One sample a line, its colour as region `whole`.
    /// - Throws: `NumberTableError`, with the line.
    public static func skinSamples(from text: String) throws(NumberTableError) -> [SkinSample] {
        let rows = try rows(of: text, columns: [["time_ms", "time"], ["r"], ["g"], ["b"]])
        let start = rows[0].numbers[0]
        return try rows.map { (row) throws(NumberTableError) in
            let milliseconds = row.numbers[0] - start
            guard milliseconds <= longestMilliseconds else {
                throw NumberTableError(line: row.line, detail: "the time \(row.numbers[0]) ms lies more than a week after the first; is it in ms?")
            }
            let nanoseconds = Int64((milliseconds * 1e6).rounded())
            let colour = ColourMean(red: row.numbers[1], green: row.numbers[2], blue: row.numbers[3], pixelCount: 1)
            return SkinSample(ptsNanoseconds: nanoseconds, outcome: .usable(SkinColours(regions: [.whole: colour])))
        }
    }

    /// A blood volume wave of a contact sensor: columns `time_ms` (or `time`) and `wave`.
    ///
    /// - Throws: `NumberTableError`, with the line.
    public static func wave(
        from text: String
    ) throws(NumberTableError) -> (timesSeconds: [Double], values: [Double]) {
        let rows = try rows(of: text, columns: [["time_ms", "time"], ["wave"]])
        return (rows.map { $0.numbers[0] / 1000 }, rows.map { $0.numbers[1] })
    }

    private static let longestMilliseconds = 7.0 * 24 * 3600 * 1000

    private struct Row {
        /// Counted from 1.
        var line: Int
        /// One for each column asked for.
        var numbers: [Double]
    }

    /// - Parameter columns: The names that each column may have, in lower case. The first column holds times, which must rise.
    private static func rows(of text: String, columns: [[String]]) throws(NumberTableError) -> [Row] {
        var lines = text.utf8.split(omittingEmptySubsequences: false) { $0 == UInt8(ascii: "\n") }
            .enumerated().makeIterator()
        let names = (lines.next()?.element ?? Substring().utf8).split(
            separator: UInt8(ascii: ","), omittingEmptySubsequences: false
        ).map { trimmed($0).lowercased() }
        var positions: [Int] = []
        for candidates in columns {
            guard let position = names.firstIndex(where: candidates.contains) else {
                throw NumberTableError(
                    line: 1,
                    detail: "the header must name the columns \(columns.map { $0[0] }.joined(separator: ", ")); "
                        + "\(candidates[0]) is missing")
            }
            positions.append(position)
        }
        var rows: [Row] = []
        while let (index, line) = lines.next() {
            let fields = line.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
            guard fields.count > 1 || !trimmed(line).isEmpty else { continue }
            var numbers: [Double] = []
            for position in positions {
                guard position < fields.count, let number = Double(trimmed(fields[position])), number.isFinite else {
                    throw NumberTableError(line: index + 1, detail: "column \(position + 1) is not a number")
                }
                numbers.append(number)
            }
            if let last = rows.last, numbers[0] <= last.numbers[0] {
                throw NumberTableError(line: index + 1, detail: "the times must rise from line to line")
            }
            rows.append(Row(line: index + 1, numbers: numbers))
        }
        guard !rows.isEmpty else { throw NumberTableError(line: 2, detail: "there are no lines after the header") }
        return rows
    }

    private static func trimmed(_ bytes: Substring.UTF8View) -> String {
        var text = Substring(bytes)
        while let first = text.first, first.isWhitespace || first == "\u{FEFF}" { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }
}

/// What is wrong with a table, and where.
public struct NumberTableError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Counted from 1.
    public var line: Int
    public var detail: String

    public var description: String { "line \(line): \(detail)" }
}
