import Foundation
import NodeKit
import Testing

/// `adreact status` and `adreact tap` beside real processes.
@Suite(.serialized) struct StatusTests {
    private struct State: Decodable {
        struct Node: Decodable {
            struct Value: Decodable { let name: String, labels: [String: String], value: Int64? }
            struct Session: Decodable { let session: String, lagNanoseconds: Int64, reachedNanoseconds: [String: Int64] }
            struct Reader: Decodable { let endpoint: String, group: String, member: String }
            let node: String, processID: Int32
            let metrics: [Value], sessions: [Session], readers: [Reader]

            func sum(_ metric: Metric) -> Int64 { metrics.filter { $0.name == metric.rawValue }.reduce(0) { $0 + ($1.value ?? 0) } }
        }
        let nodes: [Node], missing: [String], silentEndpoints: [String]

        subscript(_ name: String) -> Node? { nodes.first { $0.node == name } }
    }

    private static let readersMetrics: [Metric] = [
        .messagesReceived, .bytesReceived, .entriesDelivered, .duplicatesIgnored, .holesFound, .gapsReceived, .publisherRestarts,
    ]
    private static let publishersMetrics: [Metric] = [
        .messagesSent, .bytesSent, .entriesRedelivered, .gapsSent, .readersLost, .queuedBytes, .readers,
    ]

    private func status(_ pipeline: PipelineTests.Pipeline) throws -> State {
        let program = try pipeline.reader("adreact", ["status", "--json"])
        #expect(program.wait(seconds: 20) == 0, "\(program.standardError)")
        return try JSONDecoder().decode(State.self, from: Data(program.standardOutput.utf8))
    }

    @Test(.enabled(if: Programs.hasClips, "the shared clips are not here"))
    func everyNodeOfARunningPipelineTellsWhatItDoes() throws {
        let pipeline = try PipelineTests.Pipeline(demuxing: [Programs.clips + "/talker-1.mp4"])
        let sink = try pipeline.reader("sink", ["--format", "jsonl", "--exit-after", "2"])
        // The pipeline stays up after the session; what was counted stays, too.
        var latest: State?
        #expect(eventually(withinSeconds: 120) {
            latest = try? status(pipeline)
            return latest?["fusion-node"]?.sum(.sessionsFinished) == 1 && latest?["sink"]?.sum(.entriesDelivered) ?? 0 > 0
        }, "\(String(describing: latest))")
        // A second later everybody has told its last numbers.
        _ = eventually(withinSeconds: 2.5) { false }
        let state = try status(pipeline)
        #expect(state.nodes.map(\.node) == ["demuxer", "audio-node", "face-node", "rppg-node", "fusion-node", "sink"])
        #expect(state.missing.isEmpty && state.silentEndpoints.isEmpty)
        let started = Set((pipeline.programs + [sink]).map(\.process.processIdentifier))
        #expect(Set(state.nodes.map(\.processID)) == started)
        for node in state.nodes {
            var specified: [Metric] = [.messagesRejected, .residentMemory, .processorTime]
            if node.node != "demuxer" { specified += Self.readersMetrics }
            if node.node != "sink" { specified += Self.publishersMetrics + [.sessionsOpen, .sessionsFailed, .coverageLag] }
            for metric in specified { #expect(node.metrics.contains { $0.name == metric.rawValue }, "\(node.node) has no \(metric.rawValue)") }
            for value in node.metrics { #expect(value.value ?? 0 >= 0, "\(node.node): \(value)") }
            #expect(node.sum(.messagesRejected) == 0 && node.sum(.holesFound) == 0)
        }
        let makers = ["audio-node", "face-node", "rppg-node"].compactMap { state[$0] }
        #expect(state["demuxer"]?.sum(.messagesSent) == makers.reduce(0) { $0 + $1.sum(.messagesReceived) }, "nothing is lost on the way")
        #expect(state["fusion-node"]?.sum(.messagesReceived) == makers.reduce(0) { $0 + $1.sum(.messagesSent) })
        #expect(state["sink"]?.sum(.messagesReceived) == state["fusion-node"]?.sum(.messagesSent))
        #expect(state["fusion-node"]?.sum(.windowsPublished) == Int64(sink.standardOutput.split(separator: "\n").count))
        #expect(Set(state["demuxer"]?.readers.filter { !$0.member.isEmpty }.map(\.group) ?? []) == ["audio-node", "face-node", "rppg-node"])
        for node in makers + [state["demuxer"]].compactMap(\.self) { #expect(node.sum(.queuedBytes) == 0, "\(node.node) keeps what everybody has") }

        // Without its middle the rest is still heard.
        kill(pipeline.programs[0].process.processIdentifier, SIGKILL)
        #expect(eventually(withinSeconds: 30) { (try? status(pipeline))?.missing == ["fusion-node"] })
        #expect(try status(pipeline)["face-node"] != nil)
    }

    @Test func whereNothingRunsThatIsSaidAndNobodyWaitsForEver() throws {
        let folder = try TemporaryFolder()
        let program = try RunningProgram("adreact", ["status", "--wait", "0.5"], environment: folder.endpoints, in: folder)
        #expect(program.wait(seconds: 20) == 69)
        #expect(program.standardError.contains("/media") && program.standardError.contains("/timeline"))
        #expect(program.standardOutput.isEmpty)
    }

    /// An error is reported by its exit code, too, where its message cannot be written; a result that cannot be is an error.
    @Test(arguments: [
        ("adreact status --wait 0.1 2>/dev/full", 69), ("adreact status --wait 0.1 2>&-", 69), ("audio-node gate /nowhere.wav 2>/dev/full", 66),
        ("rppg-node measure /nowhere.mp4 2>/dev/full", 66),
    ]) func streamsThatCannotBeWrittenAreNoCrash(command: String, code: Int32) throws {
        let folder = try TemporaryFolder()
        let program = try RunningProgram("/bin/sh", ["-c", "exec '\(Programs.folder)'/" + command], environment: folder.endpoints, in: folder)
        #expect(program.wait(seconds: 20) == code)
    }
}
