import Foundation

/// Writes a NumPy file row by row; the number of rows is known at the end.
public final class NumPyWriter {
    public private(set) var rowCount = 0
    private let rowShape: [Int]
    private let half: Bool
    private let file: FileHandle
    private static let headerBytes = 128

    /// - Parameter half: 16-bit floats instead of 32-bit ones.
    /// - Throws: the exit code, after a line on standard error, where the file cannot be made.
    public init(path: String, rowShape: [Int], half: Bool) throws {
        self.rowShape = rowShape
        self.half = half
        file = try FileHandle.creating(path)
        try file.write(contentsOf: header())
    }

    /// - Parameter row: as many values as the shape holds.
    public func append(_ row: [Float]) throws {
        precondition(row.count == rowShape.reduce(1, *), "a row of the wrong size")
        if half {
            try file.write(contentsOf: row.map { Float16($0).bitPattern.littleEndian }.withUnsafeBytes { Data($0) })
        } else {
            try file.write(contentsOf: row.map { $0.bitPattern.littleEndian }.withUnsafeBytes { Data($0) })
        }
        rowCount += 1
    }

    /// The file is whole only after this.
    public func close() throws {
        try file.seek(toOffset: 0)
        try file.write(contentsOf: header())
        try file.close()
    }

    /// Version 1.0 of the format: magic, version, length of what follows, a Python dictionary padded with spaces.
    private func header() -> Data {
        let shape = ([rowCount] + rowShape).map(String.init).joined(separator: ", ")
        let dictionary = "{'descr': '<f\(half ? 2 : 4)', 'fortran_order': False, 'shape': (\(shape)), }"
        let padding = String(repeating: " ", count: Self.headerBytes - 11 - dictionary.utf8.count) + "\n"
        let length = Self.headerBytes - 10
        return Data([0x93]) + Data("NUMPY".utf8) + Data([1, 0, UInt8(length & 255), UInt8(length >> 8)])
            + Data((dictionary + padding).utf8)
    }
}

extension FileHandle {
    /// - Throws: the exit code, after a line on standard error.
    public static func creating(_ path: String) throws -> FileHandle {
        guard FileManager.default.createFile(atPath: path, contents: nil), let file = FileHandle(forWritingAtPath: path) else {
            throw NodeProcess.end(ExitStatus.cannotWrite, "\(path) cannot be written")
        }
        return file
    }
}
