import ArgumentParser
import Foundation

/// Lines on standard output and standard error, which may be closed, or a full disk.
public enum StandardStreams {
    /// A message for people. Where it cannot be written, there is nobody to tell.
    public static func tell(_ line: String) { try? FileHandle.standardError.write(contentsOf: Data((line + "\n").utf8)) }

    /// A result.
    /// - Throws: the exit code for results that cannot be written.
    public static func print(_ line: some DataProtocol) throws(ExitCode) {
        do { try FileHandle.standardOutput.write(contentsOf: Data(line) + Data("\n".utf8)) } catch {
            tell("standard output cannot be written: \(error.localizedDescription)")
            throw ExitCode(ExitStatus.cannotWrite)
        }
    }
}
