import Foundation
import Testing

@Suite(.serialized) struct PoisonTests {
    /// A recording that crashes a node whenever it is tried costs that recording, and nothing else.
    @Test(.enabled(if: Programs.hasClips, "the shared clips are not here"))
    func aSessionThatCrashesANodeIsGivenUpAndTheOthersGoOn() throws {
        let folder = try TemporaryFolder()
        let environment = folder.endpoints
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

    /// The same for a recording that crashes the demuxer: the thread that reads it is the one that dies.
    @Test(.enabled(if: Programs.hasClips, "the shared clips are not here"))
    func anInputThatCrashesTheDemuxerIsGivenUpAndTheOthersAreRead() throws {
        let folder = try TemporaryFolder()
        let environment = folder.endpoints
        func program(_ name: String, _ arguments: [String]) throws -> RunningProgram {
            try RunningProgram(name, arguments, environment: environment, in: folder)
        }
        let nodes = try [
            program("fusion-node", ["--journal", "none"]), program("audio-node", []), program("rppg-node", []), program("face-node", []),
        ]
        let sink = try program("sink", ["--out", folder.path + "/out", "--exit-after", "2"])
        func demuxer() throws -> RunningProgram {
            try program("demuxer", [
                "--jobs", "1", "--realtime", "--session", "poison", "--session", "sound",
                Programs.clips + "/talker-1.mp4", Programs.clips + "/talker-2.mp4",
            ])
        }
        for _ in 0..<2 {
            let life = try demuxer()
            var thread: String?
            try #require(eventually(withinSeconds: 30) {
                let tasks = "/proc/\(life.process.processIdentifier)/task"
                thread = (try? FileManager.default.contentsOfDirectory(atPath: tasks))?.first {
                    (try? String(contentsOfFile: "\(tasks)/\($0)/comm", encoding: .utf8)) == "read-0\n"
                }
                return thread != nil
            }, "the demuxer does not read: \(life.standardError)")
            let python = (ProcessInfo.processInfo.environment["ADREACT_PREFIX"] ?? "/opt/adreact") + "/python/bin/python"
            let tgkill = "import ctypes, sys; ctypes.CDLL(None).syscall(234, int(sys.argv[1]), int(sys.argv[2]), 11)"
            let killer = try program(python, ["-c", tgkill, String(life.process.processIdentifier), try #require(thread)])
            #expect(killer.wait(seconds: 30) == 0)
            #expect(life.wait(seconds: 30) == 128 + SIGSEGV)
        }
        let last = try demuxer()
        #expect(sink.wait(seconds: 120) == 0, "\(last.standardError)")
        #expect(last.standardError.contains("talker-1.mp4: demuxer crashed 2 times; given up"), "\(last.standardError)")
        try Results(in: folder.path + "/out/sound").expectSound("sound")
        for node in nodes { #expect(node.process.isRunning) }
    }
}
