import Foundation
import FusionKit
import StreamLog
import Testing
import Wire

/// A process that writes to a journal is killed, again and again, in the middle of anything.
@Suite struct JournalCrashTests {
    /// `ADREACT_JOURNAL_KILLS`: how often; `ADREACT_JOURNAL_SEED` repeats a run.
    @Test func whatWasReportedAsStoredSurvivesEveryKill() throws {
        let kills = Int(ProcessInfo.processInfo.environment["ADREACT_JOURNAL_KILLS"] ?? "") ?? 100
        let seed = UInt64(ProcessInfo.processInfo.environment["ADREACT_JOURNAL_SEED"] ?? "") ?? UInt64.random(in: .min ... .max)
        var random = Draw(seed)
        let folder = try Folder()
        let path = folder.path + "/journal.sqlite", reports = folder.path + "/reports"
        var batches = 0
        for kill in 0..<kills {
            let writer = try Writer(path, seed: random.next(), reports: reports)
            // Some die while they open the journal and recover what the last one left, most in the middle of writing.
            if random.below(4) > 0 { try writer.waitForReports() }
            usleep(UInt32(random.below(15_000)))
            writer.kill()
            let reported = try Reported(reports)
            batches += reported.batches
            let wrong = try wrong(with: path, reported, checksFile: kill % 20 == 0 || kill == kills - 1)
            try #require(wrong.isEmpty, "seed \(seed), kill \(kill): \(wrong)")
        }
        #expect(batches > kills, "seed \(seed): the writers hardly came to write")
        print("journal: \(kills) kills, \(batches) batches reported as stored, seed \(seed)")
    }

    /// Everything that is not as promised.
    private func wrong(with path: String, _ reported: Reported, checksFile: Bool) throws -> [String] {
        let journal = try EvidenceJournal(path: path)
        var wrong: [String] = []
        if checksFile, try journal.integrity() != "ok" { wrong.append(try journal.integrity()) }
        let positions = Dictionary(uniqueKeysWithValues: try journal.positions().map { ($0.0, $0.next) })
        let finished = try journal.finished()
        let over = Set(finished.map(\.session))
        let open = Set(positions.keys.map(\.session))

        var sequences: [LogID: [UInt64]] = [:]
        var shares: [String: [String: (count: Int, expected: Int)]] = [:]
        var partners: [String: [String]] = [:]
        try journal.forEachEvidence { message in
            sequences[message.envelope.log, default: []].append(message.envelope.sequence)
            let parts = String(decoding: message.body, as: UTF8.self).split(separator: "|", omittingEmptySubsequences: false).map(String.init)
            let (batch, session) = (parts[0], message.envelope.session)
            shares[batch, default: [:]][session, default: (0, Int(parts[1]) ?? 0)].count += 1
            partners[batch] = parts[2].split(separator: ",").map(String.init)
        }
        for (log, next) in positions where sequences[log] != Array(0..<next) { wrong.append("\(log): position \(next), evidence \(sequences[log] ?? [])") }
        for log in sequences.keys where positions[log] == nil { wrong.append("\(log): evidence without a position") }
        for (batch, sessions) in shares {
            for (session, share) in sessions where share.count != share.expected { wrong.append("batch \(batch) is torn in \(session)") }
            // Sessions that are not there any more have been finished since.
            for session in partners[batch] ?? [] where open.contains(session) && sessions[session] == nil { wrong.append("batch \(batch) is torn between sessions") }
        }
        for session in over where open.contains(session) { wrong.append("\(session) is finished, and has evidence") }

        var rows: [String: [String]] = [:]
        try journal.forEachTimelineMessage { rows[$0.envelope.session, default: []].append(String(decoding: $0.body, as: UTF8.self)) }
        for session in finished {
            let timeline = rows.removeValue(forKey: session.session) ?? []
            let isWhole = session.byteCount == 0 ? timeline.isEmpty : timeline.allSatisfy { Int($0) == timeline.count } && !timeline.isEmpty
            if !isWhole { wrong.append("\(session.session): a timeline of \(timeline.count) messages") }
        }
        if !rows.isEmpty { wrong.append("timelines of nobody: \(rows.keys.sorted())") }

        for (log, next) in reported.places where !reported.finished.contains(log.session) && !over.contains(log.session) {
            if positions[log] ?? 0 < next { wrong.append("\(log): \(next) was reported, \(positions[log] ?? 0) is there") }
        }
        // The writer lets go of the oldest, and keeps at least five names.
        for session in reported.finished.suffix(3) where !over.contains(session) { wrong.append("\(session) was reported as finished, and is not") }
        return wrong
    }

    /// What the last writer said.
    private struct Reported {
        var places: [LogID: UInt64] = [:]
        var finished: [String] = []
        var batches = 0

        init(_ path: String) throws {
            // The last line may be cut off.
            for line in try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
                let words = line.split(separator: " ").map(String.init)
                if words[0] == "finished" {
                    finished.append(words[1])
                    continue
                }
                batches += 1
                for place in stride(from: 1, to: words.count, by: 4) {
                    let segment = try #require(UInt32(words[place + 2])), next = try #require(UInt64(words[place + 3]))
                    places[LogID(session: words[place], track: words[place + 1], segment: segment)] = next
                }
            }
        }
    }

    private final class Writer {
        private let process: pid_t
        private let reports: String

        init(_ journal: String, seed: UInt64, reports: String) throws {
            self.reports = reports
            try? FileManager.default.removeItem(atPath: reports)
            let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
            let program = (tests as NSString).deletingLastPathComponent + "/journal-writer"
            let arguments = [program, journal, "\(seed)"]
            var actions = posix_spawn_file_actions_t()
            posix_spawn_file_actions_init(&actions)
            defer { posix_spawn_file_actions_destroy(&actions) }
            posix_spawn_file_actions_addopen(&actions, 1, reports, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
            var process: pid_t = 0
            var pointers = arguments.map { strdup($0) } + [nil]
            defer { for pointer in pointers { free(pointer) } }
            let code = posix_spawn(&process, program, &actions, nil, &pointers, environ)
            try #require(code == 0, "\(program): \(String(cString: strerror(code)))")
            self.process = process
        }

        func waitForReports() throws {
            let deadline = Date(timeIntervalSinceNow: 60)
            var status = stat()
            while stat(reports, &status) != 0 || status.st_size == 0 {
                try #require(Date() < deadline, "the writer writes nothing")
                usleep(500)
            }
        }

        func kill() {
            Foundation.kill(process, SIGKILL)
            var status: Int32 = 0
            waitpid(process, &status, 0)
        }
    }
}

struct Draw {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 16
    }

    mutating func below(_ bound: Int) -> Int { Int(next() >> 16) % bound }
}

/// A folder that goes with the test.
final class Folder {
    let path = NSTemporaryDirectory() + "/adreact-journal-" + String(UInt64.random(in: .min ... .max), radix: 36)
    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }
}
