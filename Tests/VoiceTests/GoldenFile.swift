import Foundation
import Testing

/// Reads what golden/make_golden.py wrote.
enum GoldenFile {
    static func url(_ name: String) -> URL {
        URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/\(name)")
    }

    /// A NumPy file of 32-bit floats in C order: its shape and its values.
    static func array(_ name: String) throws -> (shape: [Int], values: [Float]) {
        let bytes = [UInt8](try Data(contentsOf: url(name)))
        try #require(bytes.count > 10 && bytes[1...5].elementsEqual("NUMPY".utf8) && bytes[6] == 1)
        let headerEnd = 10 + Int(bytes[8]) + 256 * Int(bytes[9])
        let header = String(decoding: bytes[10..<headerEnd], as: UTF8.self)
        try #require(header.contains("'<f4'") && header.contains("'fortran_order': False"))
        let shapeText = try #require(header.split(separator: "(").last?.split(separator: ")").first)
        let shape = shapeText.split(separator: ",").compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
        let values = stride(from: headerEnd, to: bytes.count, by: 4).map { i in
            Float(bitPattern: UInt32(bytes[i]) | UInt32(bytes[i + 1]) << 8 | UInt32(bytes[i + 2]) << 16 | UInt32(bytes[i + 3]) << 24)
        }
        try #require(values.count == shape.reduce(1, *))
        return (shape, values)
    }

    static func json<Content: Decodable>(_ name: String, as type: Content.Type) throws -> Content {
        try JSONDecoder().decode(type, from: Data(contentsOf: url(name)))
    }
}

/// The largest distance between two equally long lists.
func largestDifference(_ a: [Float], _ b: [Float]) -> Float {
    a.count == b.count ? zip(a, b).map { abs($0 - $1) }.max() ?? 0 : .infinity
}
