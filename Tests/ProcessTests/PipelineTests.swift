import Foundation
import Testing

/// The long-running pipeline, as a Procfile starts it.
@Suite(.serialized) struct PipelineTests {
    struct Pipeline {
        let folder: TemporaryFolder
        let environment: [String: String]
        let programs: [RunningProgram]

        init(clip: String) throws { try self.init(demuxing: [clip]) }

        /// `arguments`: the demuxer's. fusion-node is the first of `programs`, the demuxer the last.
        init(demuxing arguments: [String], demuxerEnvironment: [String: String] = [:], faceNodes: Int = 1) throws {
            let folder = try TemporaryFolder()
            let environment = folder.endpoints
            (self.folder, self.environment) = (folder, environment)
            var all: [(String, [String])] = [("fusion-node", ["--journal", folder.path + "/journal.sqlite"]), ("audio-node", []), ("rppg-node", [])]
            all += Array(repeating: ("face-node", []), count: faceNodes) + [("demuxer", arguments)]
            programs = try all.map {
                let own = $0 == "demuxer" ? demuxerEnvironment : [:]
                return try RunningProgram($0, $1, environment: environment.merging(own) { $1 }, in: folder)
            }
        }

        func reader(_ program: String, _ arguments: [String]) throws -> RunningProgram {
            try RunningProgram(program, arguments, environment: environment, in: folder)
        }
    }

    @Test(.enabled(if: Programs.hasClips, "the shared clips are not here"))
    func sinksComeWhenTheyLikeAndEverythingEndsInTime() throws {
        let pipeline = try Pipeline(clip: Programs.clips + "/talker-1.mp4")
        let early = try pipeline.reader("sink", ["--format", "jsonl", "--exit-after", "1"])
        #expect(early.wait(seconds: 120) == 0)
        #expect(!early.standardOutput.isEmpty)
        // The session is over: one that comes now gets it whole all the same.
        let late = try pipeline.reader("sink", ["--format", "jsonl", "--exit-after", "1"])
        #expect(late.wait(seconds: 30) == 0)
        #expect(late.standardOutput.split(separator: "\n").sorted() == early.standardOutput.split(separator: "\n").sorted())
        // One in another language, made from the .proto files alone.
        let python = (ProcessInfo.processInfo.environment["ADREACT_PREFIX"] ?? "/opt/adreact") + "/python/bin/python"
        let example = try pipeline.reader(python, [Programs.project + "/examples/print_windows.py", "--sessions", "1"])
        #expect(example.wait(seconds: 60) == 0, "\(example.standardError)")
        #expect(example.standardOutput.contains("talker-1"))
        for program in pipeline.programs { #expect(program.process.isRunning, "a node ended with the session") }
        for program in pipeline.programs { program.process.interrupt() }
        for program in pipeline.programs { #expect(program.wait(seconds: 5) == 130) }
    }

    @Test(.enabled(if: Programs.hasClips, "the shared clips are not here"))
    func aFusionNodeThatComesBackHasTheFinishedSessions() throws {
        let pipeline = try Pipeline(clip: Programs.clips + "/single-face.mp4")
        let first = try pipeline.reader("sink", ["--format", "jsonl", "--exit-after", "1"])
        #expect(first.wait(seconds: 120) == 0)
        kill(pipeline.programs[0].process.processIdentifier, SIGKILL)
        #expect(pipeline.programs[0].wait(seconds: 5) == 128 + SIGKILL)
        let again = try pipeline.reader("fusion-node", ["--journal", pipeline.folder.path + "/journal.sqlite"])
        let second = try pipeline.reader("sink", ["--format", "jsonl", "--exit-after", "1"])
        #expect(second.wait(seconds: 60) == 0, "\(again.standardError)")
        #expect(second.standardOutput.split(separator: "\n").sorted() == first.standardOutput.split(separator: "\n").sorted())
    }

    @Test(.enabled(if: Programs.hasClips, "the shared clips are not here"), arguments: [
        ("audio-node", "talker-1.mp4", 7), ("face-node", "single-face.mp4", 60), ("rppg-node", "single-face.mp4", 3),
    ]) func aNodeAlonePrintsWhatItFinds(node: String, clip: String, fewest: Int) throws {
        let folder = try TemporaryFolder()
        let program = try RunningProgram(node, ["--input", Programs.clips + "/" + clip], in: folder)
        #expect(program.wait(seconds: 120) == 0, "\(program.standardError)")
        let lines = program.standardOutput.split(separator: "\n")
        #expect(lines.count >= fewest)
        for line in lines { #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(line.utf8)) } }
    }

    /// Two recordings in a row, the second of which begins before the first has ended.
    @Test(.enabled(if: Programs.hasClips, "the shared clips are not here"), arguments: ["face-node", "rppg-node"])
    func aClockThatStepsBackCostsNothingButTheStep(node: String) throws {
        let folder = try TemporaryFolder()
        var joined = Data()
        // One keyframe each: the second's, at 7 s, begins a segment.
        for (name, times) in [("a", ["-t", "9.9"]), ("b", ["-ss", "12", "-t", "10", "-output_ts_offset", "7"])] {
            let path = folder.path + "/\(name).ts"
            let encoding = try RunningProgram(
                "/usr/bin/ffmpeg", ["-v", "error", "-i", Programs.clips + "/pulse-face-30s.mp4"] + times + ["-an", "-c:v", "libx264", "-preset", "ultrafast", "-g", "300", "-muxdelay", "0", path],
                in: folder)
            #expect(encoding.wait(seconds: 60) == 0, "\(encoding.standardError)")
            joined += try Data(contentsOf: URL(filePath: path))
        }
        try joined.write(to: URL(filePath: folder.path + "/joined.ts"))
        let program = try RunningProgram(node, ["--input", folder.path + "/joined.ts"], in: folder)
        #expect(program.wait(seconds: 120) == 0, "\(program.standardError)")
        #expect(program.standardOutput.split(separator: "\n").count >= (node == "rppg-node" ? 16 : 400))
    }

    @Test(arguments: ["audio-node", "face-node", "rppg-node"]) func aMissingModelIsSaid(node: String) throws {
        let folder = try TemporaryFolder()
        let program = try RunningProgram(node, ["--model", "/nowhere/model"], in: folder)
        #expect(program.wait(seconds: 30) == 69)
        #expect(program.standardError.contains("/nowhere/model"))
    }
}
