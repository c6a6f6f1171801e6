/// Whether text is one well-formed XML element: tags that match, attributes in quotes, no stray `<` or `&`.
struct XMLDocumentCheck {
    let isWellFormed: Bool

    init(_ text: String) {
        var open: [Substring] = []
        var rest = text[...]
        var rootCount = 0
        while let start = rest.firstIndex(of: "<") {
            guard Self.isCharacterData(rest[..<start]), let end = rest[start...].firstIndex(of: ">") else {
                isWellFormed = false
                return
            }
            let tag = rest[rest.index(after: start)..<end]
            rest = rest[rest.index(after: end)...]
            if tag.hasPrefix("/") {
                guard open.popLast() == tag.dropFirst() else {
                    isWellFormed = false
                    return
                }
            } else {
                if open.isEmpty { rootCount += 1 }
                let name = tag.prefix { $0 != " " && $0 != "/" }
                guard !name.isEmpty, tag.filter({ $0 == "\"" }).count % 2 == 0 else {
                    isWellFormed = false
                    return
                }
                if !tag.hasSuffix("/") { open.append(name) }
            }
        }
        isWellFormed = open.isEmpty && rootCount == 1 && rest.allSatisfy(\.isWhitespace)
    }

    private static func isCharacterData(_ text: Substring) -> Bool {
        text.split(separator: "&", omittingEmptySubsequences: false).dropFirst().allSatisfy { part in
            ["amp;", "lt;", "gt;", "quot;"].contains { part.hasPrefix($0) }
        }
    }
}
