import Foundation

/// What a session is called: readable, safe as a file name, and the same whenever the same input is read.
public enum SessionName {
    /// The input's name without folders and extension, reduced to letters, digits, `-`, `_` and `.`.
    public static func stem(of input: String) -> String {
        if input == "-" { return "stdin" }
        let path = input.contains("://") ? URL(string: input).map { ($0.host ?? "") + $0.path } ?? input : input
        let name = ((path as NSString).lastPathComponent as NSString).deletingPathExtension
        let safe = String(name.unicodeScalars.map { scalar in
            scalar.isASCII && (CharacterSet.alphanumerics.contains(scalar) || "-_.".unicodeScalars.contains(scalar)) ? Character(scalar) : "-"
        }.prefix(80))
        let trimmed = safe.trimmingCharacters(in: CharacterSet(charactersIn: ".-"))
        return trimmed.isEmpty ? "input" : trimmed
    }

    /// Names for inputs of one command: the stems, numbered where two are alike.
    public static func unique(_ inputs: [String]) -> [String] {
        var taken: Set<String> = []
        return inputs.map { input in
            let stem = stem(of: input)
            var name = stem
            var number = 2
            while !taken.insert(name).inserted {
                name = "\(stem)-\(number)"
                number += 1
            }
            return name
        }
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
