import Foundation
import GRDB
import NodeKit
import StreamLog
import Wire
import ZeroMQTransport

/// What the fusion node must not lose: evidence of open sessions, the timeline of finished ones, and how far each
/// evidence log has been taken. SQLite in WAL mode: a process may be killed in the middle of any write.
package final class EvidenceJournal {
    private let database: DatabaseQueue

    /// - Parameter path: of the database file, made where absent; `nil`: in memory, lost with the process.
    /// - Throws: `SessionFailure` where it cannot be opened or written.
    package init(path: String?) throws {
        var configuration = Configuration()
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
        }
        do {
            if let path {
                try FileManager.default.createDirectory(
                    atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
                database = try DatabaseQueue(path: path, configuration: configuration)
            } else {
                database = try DatabaseQueue()
            }
            try database.write { database in
                try database.execute(
                    sql: """
                        CREATE TABLE IF NOT EXISTS evidence (
                            number INTEGER PRIMARY KEY, session TEXT NOT NULL, envelope BLOB NOT NULL, body BLOB NOT NULL);
                        CREATE INDEX IF NOT EXISTS evidence_session ON evidence (session);
                        CREATE TABLE IF NOT EXISTS timeline (
                            number INTEGER PRIMARY KEY, session TEXT NOT NULL, envelope BLOB NOT NULL, body BLOB NOT NULL);
                        CREATE TABLE IF NOT EXISTS position (
                            session TEXT NOT NULL, track TEXT NOT NULL, segment INTEGER NOT NULL, next INTEGER NOT NULL,
                            PRIMARY KEY (session, track, segment)) WITHOUT ROWID;
                        """)
            }
        } catch {
            throw SessionFailure(
                exitCode: ExitStatus.cannotWrite, "journal \(path ?? "in memory"): \(error). Check that its folder can be written and has space.")
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

    /// A session is over: keeps its timeline, lets go of its evidence and its places.
    package func finish(session: String, timeline: [WireMessage]) throws {
        try database.write { database in
            try database.execute(sql: "DELETE FROM evidence WHERE session = ?", arguments: [session])
            try database.execute(sql: "DELETE FROM position WHERE session = ?", arguments: [session])
            for message in timeline {
                try database.execute(
                    sql: "INSERT INTO timeline (session, envelope, body) VALUES (?, ?, ?)",
                    arguments: [session, Data(message.envelopeBytes), Data(message.body)])
            }
        }
    }

    package func positions() throws -> [(LogID, next: UInt64)] {
        try database.read { database in
            try Row.fetchAll(database, sql: "SELECT session, track, segment, next FROM position").map { row in
                (LogID(session: row[0], track: row[1], segment: row[2]), UInt64(clamping: row[3] as Int64))
            }
        }
    }

    /// Evidence of open sessions, in the order in which it came.
    package func forEachEvidence(_ body: (WireMessage) throws -> Void) throws { try forEach("evidence", body) }

    /// Timelines of finished sessions.
    package func forEachTimelineMessage(_ body: (WireMessage) throws -> Void) throws { try forEach("timeline", body) }

    private func forEach(_ table: String, _ body: (WireMessage) throws -> Void) throws {
        try database.read { database in
            let rows = try Row.fetchCursor(database, sql: "SELECT envelope, body FROM \(table) ORDER BY number")
            while let row = try rows.next() {
                let envelope: Data = row[0], payload: Data = row[1]
                try body(WireMessage(frames: [[UInt8](envelope), [UInt8](payload)]))
            }
        }
    }
}
