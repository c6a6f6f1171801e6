import Foundation
import Fuzzing
import Testing

/// Nodes side by side, and sessions side by side: the results are those of one alone.
@Suite(.serialized) struct ScalingTests {
    @Test(.enabled(if: Programs.hasClips, "the shared clips are not here"))
    func threeFaceNodesFindWhatOneFinds() throws {
        let clip = Programs.clips + "/viewer-session.mp4"
        let expected = try Undisturbed.results(of: clip)
        let pipeline = try PipelineTests.Pipeline(demuxing: ["--session", "viewer-session", clip], faceNodes: 3)
        let sink = try pipeline.reader("sink", ["--out", pipeline.folder.path + "/out", "--flat", "--exit-after", "1"])
        #expect(sink.wait(seconds: 240) == 0, "\(sink.standardError)")
        #expect(try Results(in: pipeline.folder.path + "/out").bytes == expected)
    }

    /// Highest resident size of any process, in MB: three times what a face-node takes for one session.
    private static let memoryLimitMegabytes = 1500

    @Test(.enabled(if: Programs.hasClips, "the shared clips are not here"))
    func twentySessionsAtOnceAreTwentyTimesTheirOwn() throws {
        let clips = ["grid-1.mpg", "grid-2.mpg", "grid-3.mpg", "grid-4.mpg", "talker-1.mp4"].map { Programs.clips + "/" + $0 }
        let folder = try TemporaryFolder()
        // One after the other.
        let alone = try RunningProgram("adreact", ["analyze", "--jobs", "1", "--out", folder.path + "/alone"] + clips, in: folder)
        #expect(alone.wait(seconds: 240) == 0, "\(alone.standardError)")

        let sessions = (0..<20).map { (name: "viewer-\($0)", clip: clips[$0 % clips.count]) }
        let pipeline = try PipelineTests.Pipeline(
            demuxing: ["--jobs", "20"] + sessions.flatMap { ["--session", $0.name] } + sessions.map(\.clip))
        let out = pipeline.folder.path + "/out"
        let sink = try pipeline.reader("sink", ["--out", out, "--exit-after", "20"])
        #expect(sink.wait(seconds: 240) == 0, "\(sink.standardError)")
        for session in sessions {
            let stem = ((session.clip as NSString).lastPathComponent as NSString).deletingPathExtension
            for file in ["timeline.jsonl", "seconds.csv"] {
                let expected = try String(contentsOfFile: folder.path + "/alone/\(stem)/\(file)", encoding: .utf8)
                let found = try String(contentsOfFile: out + "/\(session.name)/\(file)", encoding: .utf8)
                #expect(found == expected.replacingOccurrences(of: stem, with: session.name), "\(session.name) is not like \(stem) alone: \(file)")
            }
        }
        for program in pipeline.programs {
            let peak = FuzzRun.memoryMegabytes(of: "\(program.process.processIdentifier)").peak
            print("20 sessions: \(program.process.executableURL?.lastPathComponent ?? "") took \(peak) MB at most")
            #expect(peak < Self.memoryLimitMegabytes)
        }
    }
}
