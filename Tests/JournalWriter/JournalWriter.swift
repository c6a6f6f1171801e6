// A process to be killed: writes to a journal as the fusion node does, as fast as it can, and says what is safe.
//
//     journal-writer JOURNAL SEED
//
// Each line of standard output is written after the journal has taken what it tells:
//
//     stored SESSION TRACK SEGMENT NEXT ...
//     finished SESSION MESSAGES
import Foundation
import FusionKit
import NodeKit
import StreamLog
import Wire
import ZeroMQTransport

@main
struct JournalWriter {
    private let journal: EvidenceJournal
    private var state: UInt64
    private var next: [LogID: UInt64] = [:]
    private var sessions: [String]

    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 3, let seed = UInt64(arguments[2]) else {
            FileHandle.standardError.write(Data("usage: journal-writer JOURNAL SEED\n".utf8))
            exit(ExitStatus.usage)
        }
        var writer = try JournalWriter(arguments[1], seed)
        while true { try writer.write() }
    }

    /// Goes on where an earlier life was killed.
    private init(_ path: String, _ seed: UInt64) throws {
        journal = try EvidenceJournal(path: path)
        state = seed
        for (log, place) in try journal.positions() { next[log] = place }
        sessions = Set(next.keys.map(\.session)).sorted()
    }

    private mutating func random(_ bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % bound
    }

    private mutating func write() throws {
        while sessions.count < 3 { sessions.append("s\(state)-\(sessions.count)") }
        try store()
        if random(12) == 0 { try finish() }
        if random(8) == 0 { try expire() }
    }

    private mutating func store() throws {
        let batch = "\(state)"
        var logs: [(log: LogID, sequence: UInt64)] = []
        for _ in 0...random(40) {
            let log = LogID(session: sessions[random(sessions.count)], track: ["voice", "face", "pulse"][random(3)], segment: UInt32(random(2)))
            logs.append((log, next[log, default: 0]))
            next[log, default: 0] += 1
        }
        let shares = Dictionary(grouping: logs, by: \.log.session).mapValues(\.count)
        let names = shares.keys.sorted().joined(separator: ",")
        let messages = logs.map { log, sequence in
            let text = "\(batch)|\(shares[log.session] ?? 0)|\(names)|" + String(repeating: "x", count: random(600))
            return (WireMessage(Envelope(.data, log, sequence: sequence), body: Array(text.utf8)), sequence + 1)
        }
        try journal.store(messages)
        let places = Set(logs.map(\.log)).map { "\($0.session) \($0.track) \($0.segment) \(next[$0] ?? 0)" }
        say("stored " + places.joined(separator: " "))
        if random(4) == 0, let last = logs.last { try journal.store(places: [GroupPlace(group: "sinks", log: last.log, next: last.sequence)]) }
    }

    private mutating func finish() throws {
        let session = sessions.remove(at: random(sessions.count))
        let count = 1 + random(100)
        let timeline = (0..<count).map { place in
            WireMessage(Envelope(.data, LogID(session: session, track: "emotion"), sequence: UInt64(place)), body: Array("\(count)".utf8))
        }
        let seconds = (try journal.finished().last?.unixSeconds ?? 0) + 1
        try journal.finish(session: session, timeline: timeline, unixSeconds: seconds)
        next = next.filter { $0.key.session != session }
        say("finished \(session) \(count)")
    }

    /// Of more than six finished sessions, the oldest lose their timelines, then their names.
    private func expire() throws {
        let finished = try journal.finished()
        guard finished.count > 6 else { return }
        try journal.expire(dropped: finished.dropLast(3).suffix(2).map(\.session), forgotten: finished.dropLast(5).map(\.session))
    }

    private func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }
}
