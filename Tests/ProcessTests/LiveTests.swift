import Foundation
import Testing

/// A live source waits for nobody: what is lost is said, and the rest goes on.
@Suite(.serialized) struct LiveTests {
    /// Longer than the lag that is allowed, and than all of the budgets.
    @Test(.enabled(if: Programs.hasClips, "the shared clips are not here"))
    func aHungNodeLosesItsPartOfALiveSessionAndComesBack() throws {
        let folder = try TemporaryFolder()
        let environment = Dictionary(uniqueKeysWithValues: ["media", "evidence", "timeline"].map {
            ("ADREACT_\($0.uppercased())_ENDPOINT", "ipc://\(folder.path)/\($0)")
        })
        func program(_ name: String, _ arguments: [String]) throws -> RunningProgram {
            try RunningProgram(name, arguments, environment: environment, in: folder)
        }
        let nodes = try [
            program("fusion-node", ["--journal", folder.path + "/journal.sqlite"]), program("audio-node", []), program("rppg-node", []),
        ]
        let face = try program("face-node", [])
        let printed = try program("sink", ["--format", "jsonl"])
        let written = try program("sink", ["--out", folder.path + "/out", "--flat", "--exit-after", "1"])
        let demuxer = try program("demuxer", ["--realtime", "--session", "live", Programs.clips + "/viewer-session.mp4"])
        // Faces are seen while the clip plays; then the node hangs, and the timeline goes on without it.
        #expect(eventually(withinSeconds: 60) { printed.standardOutput.contains(#""lane":"face""#) })
        kill(face.process.processIdentifier, SIGSTOP)
        #expect(eventually(withinSeconds: 60) { printed.standardOutput.contains(#""missing":["face"]"#) }, "nothing is said of the missing lane")
        #expect(eventually(withinSeconds: 60) { demuxer.standardError.contains("face-node is too slow") })
        kill(face.process.processIdentifier, SIGCONT)
        #expect(written.wait(seconds: 120) == 0, "\(written.standardError)")
        let results = try Results(in: folder.path + "/out")
        results.expectSound("live")
        #expect(results.seconds.count == 47)
        // Its segments are at least 4 s long: what was dropped is marked, what came after it is there.
        let lost = results.seconds.filter { $0["missing"]?.contains("face") == true }
        #expect(lost.count >= 4 && lost.count < 40, "\(lost.count) seconds without the node")
        #expect(results.covered(38, 43, lanes: ["face", "fused"]) > 3, "the node that came back has done nothing")
        for node in nodes + [face, demuxer] { #expect(node.process.isRunning) }
    }
}
