import Foundation
import GRDB
import NodeKit
import StreamLog
import Wire
import ZeroMQTransport

/// What the fusion node must not lose: evidence of open sessions, the timeline of finished ones, how far each
/// evidence log has been taken, and how far each named group of timeline readers has come.
///
/// SQLite in WAL mode: a process may be killed in the middle of any write. (When the machine loses its power, the last
/// moments may be missing; nothing is torn.) One process at a time has it.
package final class EvidenceJournal {
    /// A session whose timeline is complete.
    package struct Finished: Sendable, Equatable {
        package let session: String
        package let unixSeconds: Int64
        /// Of its timeline as it is kept; 0 when that was dropped.
        package let byteCount: Int

        package init(session: String, unixSeconds: Int64, byteCount: Int) {
            self.session = session
            self.unixSeconds = unixSeconds
            self.byteCount = byteCount
        }
    }

    private let database: DatabaseQueue

    /// - Parameter path: of the database file, made where absent; `nil`: in memory, lost with the process.
    /// - Throws: `SessionFailure` where it cannot be opened or written, is in use, or is not a journal of this version.
    package init(path: String?) throws {
        do {
            if let path {
                // What is in it is nobody else's business.
                let folder = (path as NSString).deletingLastPathComponent
                if !folder.isEmpty {
                    try FileManager.default.createDirectory(
                        atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
                }
                let descriptor = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
                if descriptor >= 0 { close(descriptor) }  // else it is there, or SQLite says why not
                database = try DatabaseQueue(path: path, configuration: JournalFile.configuration)
            } else {
                database = try DatabaseQueue()
            }
            try database.write { try $0.execute(sql: JournalFile.schema) }
        } catch {
            throw SessionFailure(exitCode: ExitStatus.cannotWrite, "journal \(path ?? "in memory"): \(JournalFile.explain(error))")
        }
    }

    /// Stores a batch of evidence and how far its logs have come, in one transaction.
    package func store(_ batch: [(message: WireMessage, next: UInt64)]) throws {
        // Logs run forward: the last place of each is the one to remember.
        let positions = Dictionary(batch.map { ($0.message.envelope.log, $0.next) }, uniquingKeysWith: max)
        try database.write { database in
            let evidence = try database.cachedStatement(sql: "INSERT INTO evidence (session, envelope, body) VALUES (?, ?, ?)")
            for (message, _) in batch {
                try evidence.execute(arguments: [message.envelope.session, Data(message.envelopeBytes), Data(message.body)])
            }
            let position = try database.cachedStatement(sql: "INSERT OR REPLACE INTO position VALUES (?, ?, ?, ?)")
            for (log, next) in positions {
                try position.execute(arguments: [log.session, log.track, log.segment, Int64(clamping: next)])
            }
        }
    }

    /// A session is over: keeps its timeline and when that was, lets go of its evidence.
    package func finish(session: String, timeline: [WireMessage], unixSeconds: Int64) throws {
        try database.write { database in
            for table in ["evidence", "position", "timeline"] {
                try database.execute(sql: "DELETE FROM \(table) WHERE session = ?", arguments: [session])
            }
            let row = try database.cachedStatement(sql: "INSERT INTO timeline (session, envelope, body) VALUES (?, ?, ?)")
            for message in timeline {
                try row.execute(arguments: [session, Data(message.envelopeBytes), Data(message.body)])
            }
            try database.execute(
                sql: "INSERT OR REPLACE INTO finished VALUES (?, ?, ?)",
                arguments: [session, unixSeconds, timeline.reduce(0) { $0 + $1.byteCount }])
        }
    }

    /// Lets go of the timelines of `dropped`, and of everything that is known of `forgotten`; gives their space back.
    package func expire(dropped: [String], forgotten: [String]) throws {
        guard !dropped.isEmpty || !forgotten.isEmpty else { return }
        try database.write { database in
            for session in dropped + forgotten {
                try database.execute(sql: "DELETE FROM timeline WHERE session = ?", arguments: [session])
                try database.execute(sql: "DELETE FROM place WHERE session = ?", arguments: [session])
                try database.execute(sql: "UPDATE finished SET bytes = 0 WHERE session = ?", arguments: [session])
            }
            for session in forgotten { try database.execute(sql: "DELETE FROM finished WHERE session = ?", arguments: [session]) }
            try database.execute(sql: "PRAGMA incremental_vacuum")
        }
    }

    /// Remembers how far named groups of readers have come.
    /// - Parameter rewound: groups that begin anew; their earlier places are forgotten first.
    package func store(places: [GroupPlace], rewound: Set<String> = []) throws {
        try database.write { database in
            for group in rewound { try database.execute(sql: "DELETE FROM place WHERE readers = ?", arguments: [group]) }
            let place = try database.cachedStatement(sql: "INSERT OR REPLACE INTO place VALUES (?, ?, ?, ?, ?)")
            for each in places {
                try place.execute(arguments: [each.group, each.log.session, each.log.track, each.log.segment, Int64(clamping: each.next)])
            }
        }
    }

    package func positions() throws -> [(LogID, next: UInt64)] {
        try rows("SELECT session, track, segment, next FROM position") { (LogID(session: $0[0], track: $0[1], segment: $0[2]), UInt64(clamping: $0[3] as Int64)) }
    }

    /// Sessions that are over, those that were over first at first.
    package func finished() throws -> [Finished] {
        try rows("SELECT session, unix_seconds, bytes FROM finished ORDER BY unix_seconds, session") {
            Finished(session: $0[0], unixSeconds: $0[1], byteCount: $0[2])
        }
    }

    /// Forgets places in sessions that are not there any more.
    package func dropStrayPlaces() throws {
        try database.write {
            try $0.execute(sql: "DELETE FROM place WHERE session NOT IN (SELECT session FROM evidence UNION SELECT session FROM timeline)")
        }
    }

    package func places() throws -> [GroupPlace] {
        try rows("SELECT readers, session, track, segment, next FROM place") {
            GroupPlace(group: $0[0], log: LogID(session: $0[1], track: $0[2], segment: $0[3]), next: UInt64(clamping: $0[4] as Int64))
        }
    }

    /// Evidence of open sessions, in the order in which it came.
    package func forEachEvidence(_ body: (WireMessage) throws -> Void) throws { try forEach("evidence", body) }

    /// Timelines of finished sessions.
    package func forEachTimelineMessage(_ body: (WireMessage) throws -> Void) throws { try forEach("timeline", body) }

    /// What SQLite finds wrong with the file; "ok" where it finds nothing.
    package func integrity() throws -> String { try rows("PRAGMA integrity_check") { $0[0] as String }.joined(separator: "; ") }

    /// What is wrong with a write, and what to do.
    package static func explain(_ error: any Error) -> String { JournalFile.explain(error) }

    private func forEach(_ table: String, _ body: (WireMessage) throws -> Void) throws {
        try database.read { database in
            let rows = try Row.fetchCursor(database, sql: "SELECT envelope, body FROM \(table) ORDER BY number")
            while let row = try rows.next() {
                let envelope: Data = row[0], payload: Data = row[1]
                try body(WireMessage(frames: [[UInt8](envelope), [UInt8](payload)]))
            }
        }
    }

    private func rows<Value>(_ sql: String, _ value: (Row) -> Value) throws -> [Value] {
        try database.read { try Row.fetchAll($0, sql: sql).map(value) }
    }
}

/// How the journal lies in its file.
private enum JournalFile {
    /// Of the tables below. A file of another version is refused, not converted: its sessions are short-lived.
    static let version = 1
    /// Tells our files from other programs': "AdRe".
    static let applicationID = 0x4164_5265

    static let schema = """
        CREATE TABLE IF NOT EXISTS evidence (
            number INTEGER PRIMARY KEY, session TEXT NOT NULL, envelope BLOB NOT NULL, body BLOB NOT NULL);
        CREATE INDEX IF NOT EXISTS evidence_session ON evidence (session);
        CREATE TABLE IF NOT EXISTS position (
            session TEXT NOT NULL, track TEXT NOT NULL, segment INTEGER NOT NULL, next INTEGER NOT NULL,
            PRIMARY KEY (session, track, segment)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS timeline (
            number INTEGER PRIMARY KEY, session TEXT NOT NULL, envelope BLOB NOT NULL, body BLOB NOT NULL);
        CREATE INDEX IF NOT EXISTS timeline_session ON timeline (session);
        CREATE TABLE IF NOT EXISTS finished (
            session TEXT PRIMARY KEY, unix_seconds INTEGER NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS place (
            readers TEXT NOT NULL, session TEXT NOT NULL, track TEXT NOT NULL, segment INTEGER NOT NULL, next INTEGER NOT NULL,
            PRIMARY KEY (readers, session, track, segment)) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS place_session ON place (session);
        """

    struct Foreign: Error, CustomStringConvertible {
        let description: String
    }

    static var configuration: Configuration {
        var configuration = Configuration()
        // A predecessor that was told to stop may still hold the file.
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { database in
            // One owner: a second fusion-node must not mix its sessions in. It also spares the shared-memory file, whose
            // pages could not be backed on a full disk.
            try database.execute(sql: "PRAGMA locking_mode = EXCLUSIVE")
            // Before anything is changed: the file may be somebody else's.
            let isNew = try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_master") == 0
            if !isNew { try checkVersion(database) }
            try database.execute(
                sql: """
                    PRAGMA auto_vacuum = INCREMENTAL;
                    PRAGMA journal_mode = WAL;
                    PRAGMA synchronous = NORMAL;
                    PRAGMA journal_size_limit = 16777216;
                    PRAGMA application_id = \(applicationID);
                    PRAGMA user_version = \(version);
                    """)
        }
        return configuration
    }

    private static func checkVersion(_ database: Database) throws {
        let found = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        let isOurs = try Int.fetchOne(database, sql: "PRAGMA application_id") == applicationID
        guard !isOurs || found != version else { return }
        let what = isOurs ? "is of version \(found), and this fusion-node writes version \(version)" : "is a database, but no journal of this version of fusion-node"
        throw Foreign(description: "\(what). Move it away, or name another file with --journal.")
    }

    /// What is wrong, and what to do.
    static func explain(_ error: any Error) -> String {
        guard let database = error as? DatabaseError else { return error is Foreign ? "\(error)" : "\(error.localizedDescription)" }
        return switch database.resultCode {
        case .SQLITE_NOTADB: "is no journal: it is not an SQLite database. Move it away, or name another file with --journal."
        case .SQLITE_CORRUPT: "is damaged. Move it away; sessions that were open must be analysed again."
        case .SQLITE_BUSY: "is in use. Stop the other fusion-node, or name another file with --journal."
        case .SQLITE_FULL: "the disk is full. Make room, or name another file with --journal."
        default: "cannot be opened for writing (\(database.message ?? "\(database.resultCode)")). Check its folder's permissions and space, or name another file with --journal."
        }
    }
}
