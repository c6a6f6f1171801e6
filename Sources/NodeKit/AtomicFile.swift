import Foundation

/// Files that are there whole or not at all.
public enum AtomicFile {
    /// Writes beside the target, then renames over it.
    /// - Throws: `SessionFailure` with the path and the reason.
    public static func write(_ text: String, to path: String) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw SessionFailure(exitCode: ExitStatus.cannotWrite, "\(path): cannot be written: \(error.localizedDescription)")
        }
    }
}
