import Foundation
import Fusion

/// The files that an analysis leaves: `timeline.jsonl` and `seconds.csv`.
public struct ResultFiles: Sendable {
    private let directory: String
    private let hasFolderPerSession: Bool

    /// - Parameter hasFolderPerSession: several sessions: each in a folder named after it.
    public init(directory: String, hasFolderPerSession: Bool) {
        self.directory = directory
        self.hasFolderPerSession = hasFolderPerSession
    }

    /// - Parameter session: Any name that came over the wire: it cannot lead out of the directory.
    public func folder(of session: String) -> String { hasFolderPerSession ? directory + "/" + SessionName.folder(of: session) : directory }

    /// Writes nothing for an input of which nothing could be read.
    /// - Throws: `SessionFailure` where they cannot be written.
    public func write(_ session: SessionTimeline) throws {
        guard session.failure == nil || !session.timeline.rows.isEmpty else { return }
        let folder = folder(of: session.info.name)
        try AtomicFile.write(TimelineJSON.lines(session.timeline), to: folder + "/timeline.jsonl")
        try AtomicFile.write(TimelineCSV.lines(session.timeline), to: folder + "/seconds.csv")
    }
}
