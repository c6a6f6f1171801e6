import Foundation
import NodeKit

/// Writes JSON Lines.
final class LineWriter {
    private let file: FileHandle
    private let encoder = JSONEncoder()

    init(path: String) throws {
        file = try FileHandle.creating(path)
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    }

    func write(_ line: some Encodable) throws {
        try file.write(contentsOf: try encoder.encode(line) + Data("\n".utf8))
    }
}
