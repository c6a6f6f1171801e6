import Foundation
import Testing

@Suite(.serialized) struct PoisonTests {
    /// A recording that crashes a node whenever it is tried costs that recording, and nothing else.
    @Test(.enabled(if: Programs.hasClips, "the shared clips are not here"))
    func aSessionThatCrashesANodeIsGivenUpAndTheOthersGoOn() throws {
        let folder = try TemporaryFolder()
        var environment = Dictionary(uniqueKeysWithValues: ["media", "evidence", "timeline"].map {
            ("ADREACT_\($0.uppercased())_ENDPOINT", "ipc://\(folder.path)/\($0)")
        })
        environment["ADREACT_RUN_DIRECTORY"] = folder.path + "/run"
        func program(_ name: String, _ arguments: [String]) throws -> RunningProgram {
            try RunningProgram(name, arguments, environment: environment, in: folder)
        }
        let nodes = try [program("fusion-node", ["--journal", "none"]), program("audio-node", []), program("rppg-node", [])]
        let sink = try program("sink", ["--out", folder.path + "/out", "--exit-after", "2"])
        let clips = Programs.clips
        let demuxer = try program(
            "demuxer", ["--session", "poison", "--session", "sound", clips + "/talker-1.mp4", clips + "/talker-2.mp4"])
        var lives = [try program("poisoned-node", ["poison"])]
        // Started again each time, as a supervisor does, until it no longer dies.
        #expect(eventually(withinSeconds: 120) {
            if let last = lives.last, !last.process.isRunning, lives.count < 10, let next = try? program("poisoned-node", ["poison"]) {
                lives.append(next)
            }
            return !sink.process.isRunning
        }, "the sessions do not end: \(lives.map(\.standardError))")
        #expect(sink.wait(seconds: 1) == 0)
        #expect(lives.count == 4, "three crashes, then a life that leaves it alone")
        #expect(lives.last?.standardError.contains("face-node crashed 3 times") == true, "\(lives.map(\.standardError))")
        try Results(in: folder.path + "/out/sound").expectSound("sound")
        for node in nodes + [demuxer] { #expect(node.process.isRunning) }
    }
}
