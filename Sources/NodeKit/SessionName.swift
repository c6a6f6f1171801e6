import Foundation
import Wire

/// What a session is called: readable, safe as a file name, and the same whenever the same input is read.
public enum SessionName {
    /// Of a name, in UTF-8. Nodes refuse longer ones.
    public static let longestBytes = WireMessage.maximumNameBytes

    /// Whether an input can be read again from its start: a file, or one on a web server. So can one that is not there.
    public static func isRepeatable(_ input: String) -> Bool {
        if ["http://", "https://"].contains(where: input.lowercased().hasPrefix) {
            return !input.contains("?listen") && !input.contains(".m3u8")
        }
        if input.hasPrefix("file:") { return URL(string: input).map { isRepeatable($0.path) } ?? true }
        let isThere = FileManager.default.fileExists(atPath: input)
        return input != "-" && (isThere ? isRegularFile(input) : !input.contains("://"))
    }

    private static func isRegularFile(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    /// The input's name without folders and extension, reduced to letters, digits, `-`, `_` and `.`.
    public static func stem(of input: String) -> String {
        if input == "-" { return "stdin" }
        let path = input.contains("://") ? URL(string: input).map { ($0.host ?? "") + $0.path } ?? input : input
        return fileName(String(((path as NSString).lastPathComponent as NSString).deletingPathExtension.unicodeScalars.prefix(80)))
    }

    /// The folder for a session's results: its name where that is safe, else what is safe of it and a mark, so that no two share one.
    static func folder(of session: String) -> String {
        let safe = fileName(String(session.unicodeScalars.prefix(200)))
        return safe == session ? session : safe + "-" + mark([Array(session.utf8)])
    }

    /// A name reduced to letters, digits, `-`, `_` and `.`, not hidden.
    private static func fileName(_ name: String) -> String {
        let safe = String(name.unicodeScalars.map { scalar in
            scalar.isASCII && (CharacterSet.alphanumerics.contains(scalar) || "-_.".unicodeScalars.contains(scalar)) ? Character(scalar) : "-"
        })
        let trimmed = safe.trimmingCharacters(in: CharacterSet(charactersIn: ".-"))
        return trimmed.isEmpty ? "input" : trimmed
    }

    /// Names for inputs of one command: the stems, numbered where two are alike.
    public static func unique(_ inputs: [String]) -> [String] { numbered(inputs.map(stem)) }

    private static func numbered(_ names: [String]) -> [String] {
        var taken: Set<String> = []
        return names.map { wanted in
            var name = wanted
            var number = 2
            while !taken.insert(name).inserted {
                name = "\(wanted)-\(number)"
                number += 1
            }
            return name
        }
    }

    /// Names for a pipeline that outlives its inputs: each is a stem and a mark of the content, so that another recording of
    /// the same name is another session, and the same recording, whenever it is read again, the same one.
    /// What is no file is another session whenever it is read: the mark of a camera's, a stream's or standard input's is
    /// the time of the start.
    ///
    /// - Parameter start: now, of the wall clock.
    public static func identified(_ inputs: [String], start: Date) -> [String] {
        let startMark = start.formatted(.iso8601.dateSeparator(.omitted).timeSeparator(.omitted))
        return numbered(inputs.map { input in stem(of: input) + "-" + (contentMark(of: input) ?? startMark) })
    }

    /// Of a file's size, beginning and end; `nil` where it is no file.
    private static func contentMark(of path: String) -> String? {
        // A pipe must be opened once only, by who reads it.
        guard isRegularFile(path), let file = FileHandle(forReadingAtPath: path), let size = try? file.seekToEnd(), size > 0 else { return nil }
        let length = 1 << 16
        var pieces = [withUnsafeBytes(of: size.littleEndian, Array.init)]
        for offset in [0, size > UInt64(length) ? size - UInt64(length) : 0] {
            guard (try? file.seek(toOffset: offset)) != nil, let piece = try? file.read(upToCount: length) else { return nil }
            pieces.append(Array(piece))
        }
        return mark(pieces)
    }

    /// Eight hexadecimal digits (FNV-1a).
    private static func mark(_ pieces: [[UInt8]]) -> String {
        let hash = pieces.joined().reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    /// A source as it may be shown and passed on: a URL without user name, password and query.
    public static func publicName(of input: String) -> String {
        guard input.contains("://"), var parts = URLComponents(string: input) else { return (input as NSString).lastPathComponent }
        parts.user = nil
        parts.password = nil
        parts.query = nil
        return parts.string ?? "URL"
    }
}
