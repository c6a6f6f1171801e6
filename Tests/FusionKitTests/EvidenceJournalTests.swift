import Foundation
import FusionKit
import GRDB
import NodeKit
import StreamLog
import Testing
import Wire

@Suite struct EvidenceJournalTests {
    @Test func whatWasStoredIsThereAgain() throws {
        let folder = try Folder()
        let messages = evidence("a")
        try EvidenceJournal(path: folder.path + "/journal").store(messages.map { ($0, $0.envelope.sequence + 1) })
        let journal = try EvidenceJournal(path: folder.path + "/journal")
        var read: [WireMessage] = []
        try journal.forEachEvidence { read.append($0) }
        #expect(read.map(\.envelope) == messages.map(\.envelope))
        #expect(read.map(\.body) == messages.map(\.body))
        let positions = Dictionary(uniqueKeysWithValues: try journal.positions().map { ($0.0.track, $0.next) })
        #expect(positions == ["voice": 1, "face": 11, "pulse": 1])
    }

    @Test func aFinishedSessionLeavesItsTimelineAndNotItsEvidence() throws {
        let journal = try EvidenceJournal(path: nil)
        try journal.store(evidence("a").map { ($0, 1) } + evidence("b").map { ($0, 1) })
        let message = WireMessage(Envelope(.info, LogID(session: "a", track: "emotion")))
        try journal.finish(session: "a", timeline: [message], unixSeconds: 7)
        #expect(try sessions(journal.forEachEvidence) == ["b"])
        #expect(try Set(journal.positions().map(\.0.session)) == ["b"])
        #expect(try sessions(journal.forEachTimelineMessage) == ["a"])
        #expect(try journal.finished() == [.init(session: "a", unixSeconds: 7, byteCount: message.byteCount)])
    }

    @Test func whatExpiresIsGoneAndGivesItsSpaceBack() throws {
        let folder = try Folder()
        let path = folder.path + "/journal"
        do {
            let journal = try EvidenceJournal(path: path)
            for session in ["a", "b", "c"] {
                let large = WireMessage(Envelope(.info, LogID(session: session, track: "emotion")), body: [UInt8](repeating: 1, count: 1 << 20))
                try journal.finish(session: session, timeline: [large], unixSeconds: 7)
                try journal.store(places: [GroupPlace(group: "g", log: LogID(session: session, track: "emotion"), next: 1)])
            }
            try journal.expire(dropped: ["a"], forgotten: ["b"])
            #expect(try sessions(journal.forEachTimelineMessage) == ["c"])
            #expect(try journal.finished().map(\.session) == ["a", "c"])
            #expect(try journal.places().map(\.log.session) == ["c"])
        }
        let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
        #expect(try #require(size) < 3 << 20 / 2)
    }

    @Test func groupsBeginAnewWhereTheyAskedTo() throws {
        let journal = try EvidenceJournal(path: nil)
        let log = LogID(session: "a", track: "seconds")
        try journal.store(places: [GroupPlace(group: "g", log: log, next: 3), GroupPlace(group: "h", log: log, next: 4)])
        try journal.store(places: [GroupPlace(group: "g", log: log, next: 1)], rewound: ["g"])
        #expect(try Set(journal.places()) == [GroupPlace(group: "g", log: log, next: 1), GroupPlace(group: "h", log: log, next: 4)])
        try journal.dropStrayPlaces()
        #expect(try journal.places().isEmpty, "there is no session a")
    }

    private func sessions(_ each: ((WireMessage) throws -> Void) throws -> Void) rethrows -> Set<String> {
        var names: Set<String> = []
        try each { names.insert($0.envelope.session) }
        return names
    }
}

/// Files that cannot be a journal, or cannot be written: said with the file's name and what to do, and left as they are.
@Suite struct JournalFailureTests {
    private func failure(_ path: String) -> SessionFailure? {
        #expect(throws: SessionFailure.self) { try EvidenceJournal(path: path) }
    }

    private func expectRefused(_ path: String, because reason: String, sourceLocation: SourceLocation = #_sourceLocation) {
        let failure = failure(path)
        #expect(failure?.exitCode == ExitStatus.cannotWrite, sourceLocation: sourceLocation)
        for part in [path, reason, "--journal"] {
            #expect(failure?.description.contains(part) == true, "\(failure?.description ?? "")", sourceLocation: sourceLocation)
        }
    }

    @Test func aFileThatIsNoDatabase() throws {
        let folder = try Folder()
        let path = folder.path + "/text"
        let text = Data(String(repeating: "This is no database.\n", count: 400).utf8)
        try text.write(to: URL(fileURLWithPath: path))
        expectRefused(path, because: "not an SQLite database")
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == text)
    }

    @Test func aDatabaseOfAnotherProgram() throws {
        let folder = try Folder()
        let path = folder.path + "/other"
        // Its version may well be the same number as ours.
        try DatabaseQueue(path: path).write { try $0.execute(sql: "CREATE TABLE recipes (name TEXT); PRAGMA user_version = 1") }
        let before = try Data(contentsOf: URL(fileURLWithPath: path))
        expectRefused(path, because: "no journal of this version")
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
    }

    @Test func aJournalOfAnotherVersion() throws {
        let folder = try Folder()
        let path = folder.path + "/later"
        _ = try EvidenceJournal(path: path)
        try DatabaseQueue(path: path).write { try $0.execute(sql: "PRAGMA user_version = 2") }
        expectRefused(path, because: "version 2")
    }

    @Test func noOtherUserCanReadIt() throws {
        let folder = NSTemporaryDirectory() + "/adreact-journal-\(UInt64.random(in: .min ... .max))"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        _ = try EvidenceJournal(path: folder + "/journal.sqlite")
        for path in [folder] + (try FileManager.default.contentsOfDirectory(atPath: folder)).map({ folder + "/" + $0 }) {
            let mode = try #require(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
            #expect(mode & 0o077 == 0, "\(path) has mode \(String(mode, radix: 8))")
        }
    }

    @Test func aJournalThatIsInUse() throws {
        let folder = try Folder()
        let first = try EvidenceJournal(path: folder.path + "/journal")
        expectRefused(folder.path + "/journal", because: "in use")
        #expect(try first.finished().isEmpty)
    }

    @Test func aDamagedJournal() throws {
        let folder = try Folder()
        let path = folder.path + "/journal"
        try EvidenceJournal(path: path).store(evidence("a").map { ($0, 1) })
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        // The root page with the tables' names, behind its header.
        bytes.replaceSubrange(100..<4000, with: Data(repeating: 0xa5, count: 3900))
        try bytes.write(to: URL(fileURLWithPath: path))
        let failure = failure(path)
        #expect(failure?.description.contains("is damaged") == true, "\(failure?.description ?? "")")
        #expect(failure?.exitCode == ExitStatus.cannotWrite)
    }

    @Test(arguments: ["/proc/nowhere/journal", "/proc"]) func aPlaceThatCannotBeWritten(path: String) {
        #expect(failure(path)?.description.contains(path) == true)
        #expect(failure(path)?.exitCode == ExitStatus.cannotWrite)
    }

    @Test(.enabled(if: SmallDisk.canBeMade, "a read-only folder that stops root too needs the right to mount"))
    func aReadOnlyFolder() throws {
        let disk = try SmallDisk(kilobytes: 1000)
        let path = disk.path + "/journal"
        try EvidenceJournal(path: path).store(evidence("a").map { ($0, 1) })
        try disk.makeReadOnly()
        expectRefused(path, because: "Check its folder's permissions")
        expectRefused(disk.path + "/new", because: "Check its folder's permissions")
    }

    @Test(.enabled(if: SmallDisk.canBeMade, "a small disk needs the right to mount"))
    func aFullDiskTearsNothingAndIsUsedAgainWhenThereIsRoom() throws {
        let disk = try SmallDisk(kilobytes: 1000)
        let path = disk.path + "/journal"
        try Data(count: 400_000).write(to: URL(fileURLWithPath: disk.path + "/filler"))
        let log = LogID(session: "a", track: "voice")
        func batch(_ number: Int) -> [(message: WireMessage, next: UInt64)] {
            (0..<10).map { place in
                let sequence = UInt64(number * 10 + place)
                return (WireMessage(Envelope(.data, log, sequence: sequence), body: [UInt8](repeating: 7, count: 2000)), sequence + 1)
            }
        }
        var stored = 0
        do {
            let journal = try EvidenceJournal(path: path)
            let error = #expect(throws: (any Error).self) {
                while stored < 1000 {
                    try journal.store(batch(stored))
                    stored += 1
                }
            }
            #expect(error.map(EvidenceJournal.explain)?.contains("disk is full") == true, "\(String(describing: error))")
            // Again and again, as the fusion node tries.
            for _ in 0..<20 { #expect(throws: (any Error).self) { try journal.store(batch(stored)) } }
            #expect(try journal.integrity() == "ok")
            #expect(try journal.positions().map(\.next) == [UInt64(stored * 10)])
            try FileManager.default.removeItem(atPath: disk.path + "/filler")
            try journal.store(batch(stored))
        }
        let journal = try EvidenceJournal(path: path)
        var sequences: [UInt64] = []
        try journal.forEachEvidence { sequences.append($0.envelope.sequence) }
        #expect(sequences == Array(0..<UInt64((stored + 1) * 10)))
        #expect(try journal.integrity() == "ok")
    }
}

/// A file system of its own, in memory.
final class SmallDisk {
    static let canBeMade = geteuid() == 0 && (try? SmallDisk(kilobytes: 100)) != nil

    private let folder: Folder
    var path: String { folder.path }

    init(kilobytes: Int) throws {
        folder = try Folder()
        try Self.run("mount", "-t", "tmpfs", "-o", "size=\(kilobytes)k", "adreact-test", folder.path)
    }

    func makeReadOnly() throws { try Self.run("mount", "-o", "remount,ro", path) }

    deinit { try? Self.run("umount", "-l", path) }

    private static func run(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw CocoaError(.fileWriteUnknown) }
    }
}
