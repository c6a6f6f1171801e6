import Foundation

/// Which names sessions have had whose source cannot be read again: a camera, a stream, a pipe. After a restart such a source goes
/// on somewhere else, and under its old name it would be taken for what was read before.
///
/// A note is an empty file, which outlives the process.
public struct UsedSessions: Sendable {
    private let folder: String

    /// - Parameter runDirectory: made where absent.
    public init(runDirectory: String) { folder = runDirectory + "/sessions" }

    /// Notes a name as used.
    /// - Returns: Whether it was not yet.
    /// - Throws: `SessionFailure` where the note cannot be written.
    public func claim(_ name: String) throws(SessionFailure) -> Bool {
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw SessionFailure(exitCode: ExitStatus.cannotWrite, "\(folder): cannot be made: \(error.localizedDescription)")
        }
        let path = folder + "/" + SessionName.folder(of: name)
        let descriptor = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            guard errno == EEXIST else {
                throw SessionFailure(exitCode: ExitStatus.cannotWrite, "\(path): cannot be written: \(String(cString: strerror(errno)))")
            }
            return false
        }
        close(descriptor)
        return true
    }

    /// Notes the name as used, or if it was, the first of `name-2`, `name-3` ... that was not.
    public func claimOneLike(_ name: String) throws(SessionFailure) -> String {
        var number = 1
        while true {
            let wanted = number == 1 ? name : "\(name)-\(number)"
            if try claim(wanted) { return wanted }
            number += 1
        }
    }
}
