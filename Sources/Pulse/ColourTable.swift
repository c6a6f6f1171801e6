/// Colour means that were measured elsewhere, as text: a header `time_ms,R,G,B`, then a line for each frame.
public enum ColourTable {
    /// - Parameter text: Lines end with LF or CRLF. The time column may also be called `time`. Further columns are
    ///   ignored.
    /// - Returns: One sample a line, its colour as region `whole`.
    /// - Throws: `ColourTableError`, with the line.
    public static func samples(from text: String) throws(ColourTableError) -> [SkinSample] {
        var lines = text.split(omittingEmptySubsequences: false) { $0.isNewline }.enumerated().makeIterator()
        guard let header = lines.next()?.element else { throw ColourTableError(line: 1, detail: "the file is empty") }
        let names = header.split(separator: ",", omittingEmptySubsequences: false).map { trimmed($0).lowercased() }
        func column(_ candidates: String...) throws(ColourTableError) -> Int {
            for name in candidates { if let index = names.firstIndex(of: name) { return index } }
            throw ColourTableError(
                line: 1, detail: "the header must name the columns time_ms, R, G and B; \(candidates[0]) is missing")
        }
        let columns = [try column("time_ms", "time"), try column("r"), try column("g"), try column("b")]

        var samples: [SkinSample] = []
        while let (index, line) = lines.next() {
            guard !trimmed(line).isEmpty else { continue }
            let fields = line.split(separator: ",", omittingEmptySubsequences: false)
            var numbers: [Double] = []
            for column in columns {
                guard column < fields.count, let number = Double(trimmed(fields[column])), number.isFinite else {
                    throw ColourTableError(line: index + 1, detail: "column \(column + 1) is not a number")
                }
                numbers.append(number)
            }
            guard let nanoseconds = Int64(exactly: (numbers[0] * 1e6).rounded()) else {
                throw ColourTableError(line: index + 1, detail: "the time \(numbers[0]) ms is out of range")
            }
            if let last = samples.last, nanoseconds <= last.ptsNanoseconds {
                throw ColourTableError(line: index + 1, detail: "the times must rise from line to line")
            }
            let colour = ColourMean(red: numbers[1], green: numbers[2], blue: numbers[3], pixelCount: 1)
            samples.append(
                SkinSample(ptsNanoseconds: nanoseconds, outcome: .usable(SkinColours(regions: [.whole: colour]))))
        }
        guard !samples.isEmpty else { throw ColourTableError(line: 2, detail: "there are no frames after the header") }
        return samples
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while let first = text.first, first.isWhitespace || first == "\u{FEFF}" { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }
}

/// What is wrong with a table of colours, and where.
public struct ColourTableError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Counted from 1.
    public var line: Int
    public var detail: String

    public var description: String { "line \(line): \(detail)" }
}
