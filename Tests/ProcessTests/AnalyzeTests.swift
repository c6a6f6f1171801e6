import Foundation
import Testing

/// Whole analyses, by real processes over real sockets. One after the other: each takes all the cores there are.
@Suite(.serialized) struct AnalyzeTests {
    @Test(.enabled(if: Programs.hasDemoClip, "set-up makes the demo clip, and make test says where it is"))
    func theDemoClipsTimelineShowsWhatWasPutIn() throws {
        struct Recipe: Decodable {
            struct Part: Decodable { let startSeconds: Double, endSeconds: Double, face: Bool, voice: Bool }
            struct Speech: Decodable { let startSeconds: Double, endSeconds: Double }
            let durationSeconds: Double, parts: [Part], speech: Speech, heartRateBPM: Double
        }
        let recipePath = (Programs.demoClip as NSString).deletingLastPathComponent + "/demo.json"
        let recipe = try JSONDecoder().decode(Recipe.self, from: Data(contentsOf: URL(fileURLWithPath: recipePath)))
        let folder = try TemporaryFolder()
        let analysis = try analyze([Programs.demoClip], in: folder)
        #expect(analysis.code == 0, "\(analysis.program.standardError)")
        let results = try Results(in: analysis.out)
        results.expectSound("demo")
        #expect(results.seconds.count == Int(recipe.durationSeconds.rounded(.up)))
        for part in recipe.parts {
            // Speech starts and stops within the parts: half a second on either side belongs to nobody.
            let (from, to) = (part.startSeconds + 0.7, part.endSeconds - 0.7)
            let lanes: Set<String> = switch (part.face, part.voice) {
            case (true, true): ["fused"]
            case (true, false): ["face"]
            case (false, true): ["voice"]
            case (false, false): []
            }
            let others = Set(["voice", "face", "fused"]).subtracting(lanes)
            if !lanes.isEmpty {
                #expect(results.covered(from, to, lanes: lanes) > 0.7 * (to - from), "\(lanes) in \(from)-\(to) s")
            }
            #expect(results.covered(from, to, lanes: others) < 0.25 * (to - from), "not \(others) in \(from)-\(to) s")
        }
        let rates = results.seconds.compactMap { Double($0["heartRateBPM"] ?? "") }
        #expect(!rates.isEmpty, "a pulse of 72 bpm was put in, and none was found")
        for rate in rates { #expect(abs(rate - recipe.heartRateBPM) < 5) }
    }

    /// Evidence of a person is in the run's own folder.
    @Test(.enabled(if: Programs.hasClips, "the shared clips are not here"))
    func nothingIsLeftOfARunThatWasEnded() throws {
        let folder = try TemporaryFolder()
        func leftovers() -> [String] { ((try? FileManager.default.contentsOfDirectory(atPath: folder.path + "/tmp")) ?? []).filter { $0.hasPrefix("adreact-") } }
        try FileManager.default.createDirectory(atPath: folder.path + "/tmp", withIntermediateDirectories: true)
        func analyze(_ clip: String) throws -> RunningProgram {
            try RunningProgram("adreact", ["analyze", clip, "--out", folder.path + "/out"], environment: ["TMPDIR": folder.path + "/tmp"], in: folder)
        }
        /// A run whose six programs have all opened what they use.
        func running() throws -> (program: RunningProgram, children: [Int32]) {
            let program = try analyze(Programs.clips + "/viewer-session.mp4")
            try #require(eventually(withinSeconds: 30) {
                guard let own = leftovers().first(where: { $0.contains("-\(program.process.processIdentifier)-") }) else { return false }
                let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path + "/tmp/" + own)) ?? []
                return ["journal.sqlite", "media", "timeline", "evidence"].allSatisfy(files.contains) && files.count { $0.hasSuffix(".note") } >= 5
            })
            return (program, program.children.map(\.pid))
        }
        let closed = try running().program
        kill(closed.process.processIdentifier, SIGHUP)
        #expect(closed.wait(seconds: 30) == 129)
        #expect(leftovers() == [])
        let (killed, orphans) = try running()
        let living = try running().program
        kill(killed.process.processIdentifier, SIGKILL)
        #expect(killed.wait(seconds: 30) == 128 + SIGKILL)
        #expect(eventually(withinSeconds: 30) { orphans.allSatisfy { kill($0, 0) != 0 } }, "they outlive who started them")
        #expect(leftovers().count == 2)
        #expect(try analyze("/nowhere.mp4").wait(seconds: 30) == 66)
        #expect(leftovers().map { $0.contains("-\(living.process.processIdentifier)-") } == [true], "\(leftovers())")
        kill(living.process.processIdentifier, SIGTERM)
        #expect(living.wait(seconds: 30) == 143)
        #expect(leftovers() == [])
    }

    @Test(.enabled(if: Programs.hasClips, "the shared clips are not here"))
    func theViewerSessionIsTold() throws {
        let folder = try TemporaryFolder()
        let program = try RunningProgram(
            "adreact", ["analyze", Programs.clips + "/viewer-session.mp4", "--out", folder.path + "/out"], in: folder)
        let six: Set<String> = ["demuxer", "audio-node", "face-node", "rppg-node", "fusion-node", "sink"]
        #expect(eventually(withinSeconds: 20) { Set(program.children.map(\.name)) == six }, "not the six processes: \(program.children)")
        #expect(program.wait(seconds: 240) == 0, "\(program.standardError)")
        let results = try Results(in: folder.path + "/out")
        results.expectSound("viewer-session")
        #expect(results.seconds.count == 47)
        #expect(results.covered(0, 6, lanes: ["voice", "fused"]) > 0)
        #expect(results.covered(6.2, 25.7, lanes: ["voice", "fused"]) < 0.5)
        #expect(results.covered(6.2, 25.7, lanes: ["face"]) > 18)
        let before = results.covered(6.2, 13, lanes: ["face"]), after = results.covered(17, 25.7, lanes: ["face"])
        #expect(results.covered(6.2, 13, lanes: ["face"], label: "negative") > before / 2)
        #expect(results.covered(17, 25.7, lanes: ["face"], label: "positive") > after / 2)
        #expect(results.covered(25.9, 29.7, lanes: ["voice"]) > 0)
        #expect(results.covered(25.9, 29.7, lanes: ["face", "fused"]) < 1.2)
        #expect(results.covered(43.5, 46.7, lanes: ["voice", "face", "fused"]) == 0)
    }

    @Test(.enabled(if: Programs.hasClips, "the shared clips are not here"))
    func everyClipIsAnalysedWhole() throws {
        let all = try FileManager.default.contentsOfDirectory(atPath: Programs.clips).filter { !$0.hasSuffix(".md") }.sorted()
        let folder = try TemporaryFolder()
        let analysis = try analyze(all.map { Programs.clips + "/" + $0 }, in: folder)
        #expect(analysis.code == 0, "\(analysis.program.standardError)")
        for clip in all {
            let name = (clip as NSString).deletingPathExtension
            let results = try Results(in: analysis.out + "/" + name)
            results.expectSound(clip)
            #expect(!results.seconds.isEmpty, "\(clip) has no seconds")
            if clip.contains("no-face") { #expect(results.covered(0, 1000, lanes: ["face", "fused"]) == 0, "a face in \(clip)") }
            if clip.contains("no-audio") || clip.hasPrefix("gesture") {
                #expect(results.covered(0, 1000, lanes: ["voice", "fused"]) == 0, "a voice in \(clip)")
            }
        }
    }

    @Test func badInputsAreNamedAndHarmNothingElse() throws {
        let folder = try TemporaryFolder()
        let random = folder.path + "/random.bin", text = folder.path + "/text.mp4", empty = folder.path + "/empty.mp4"
        let seed = UInt64.random(in: .min ... .max)
        var generator = SeededGenerator(state: seed)
        try Data((0..<100_000).map { _ in UInt8.random(in: .min ... .max, using: &generator) }).write(to: URL(fileURLWithPath: random))
        try Data("This is not a film.\n".utf8).write(to: URL(fileURLWithPath: text))
        try Data().write(to: URL(fileURLWithPath: empty))
        for (input, code) in [(random, 65), (text, 65), (empty, 65), (folder.path, 66), (folder.path + "/missing.mp4", 66)] as [(String, Int32)] {
            let analysis = try analyze([input], in: folder, out: "out-" + String(code))
            #expect(analysis.code == code, "\(input), seed \(seed)")
            let errors = analysis.program.standardError.split(separator: "\n")
            #expect(errors.count == 1 && errors.first?.contains(input) == true, "\(input): \(errors)")
        }
        guard Programs.hasClips else { return }
        let half = folder.path + "/half.mp4", clip = Programs.clips + "/talker-1.mp4"
        let whole = try Data(contentsOf: URL(fileURLWithPath: Programs.clips + "/sad-then-happy.mp4"))
        try whole.prefix(whole.count / 2).write(to: URL(fileURLWithPath: half))
        let together = try analyze([half, text, clip, folder.path + "/missing.mp4"], in: folder)
        #expect(together.code == 65)
        try Results(in: together.out + "/talker-1").expectSound("talker-1 beside bad inputs")
        #expect(together.program.standardError.contains("half.mp4"))
        #expect(!FileManager.default.fileExists(atPath: together.out + "/missing"))
    }

    @Test(.enabled(if: Programs.hasClips, "the shared clips are not here"))
    func whatIsLeftOfACutFileIsClassified() throws {
        let folder = try TemporaryFolder()
        let half = folder.path + "/half.mp4", clip = Programs.clips + "/talker-1.mp4"
        let whole = try Data(contentsOf: URL(fileURLWithPath: Programs.clips + "/sad-then-happy.mp4"))  // its index comes first
        try whole.prefix(whole.count * 3 / 4).write(to: URL(fileURLWithPath: half))
        let program = try RunningProgram("audio-node", ["classify", half, clip, folder.path + "/missing.wav"], in: folder)
        #expect(program.wait(seconds: 60) == 66)
        #expect(program.standardOutput.split(separator: "\n").count == 2, "\(program.standardOutput)")
        #expect(program.standardError.contains("half.mp4") && program.standardError.contains("missing.wav"), "\(program.standardError)")
    }

    @Test(.enabled(if: Programs.hasClips, "the shared clips are not here"))
    func aRecordingCanComeThroughAPipe() throws {
        let folder = try TemporaryFolder()
        let clip = Programs.clips + "/gesture-yes.mkv"
        let command = "cat '\(clip)' | '\(Programs.path("adreact"))' analyze - --out '\(folder.path)/piped'"
        let piped = try RunningProgram("/bin/sh", ["-c", command], in: folder)
        #expect(piped.wait(seconds: 120) == 0, "\(piped.standardError)")
        let file = try analyze([clip], in: folder)
        let one = try Results(in: folder.path + "/piped"), other = try Results(in: file.out)
        #expect(one.windows.map(\.startSeconds) == other.windows.map(\.startSeconds))
        #expect(one.seconds.count == other.seconds.count)
    }

    @Test func aFolderThatCannotBeWrittenIsSaidAtOnce() throws {
        let folder = try TemporaryFolder()
        let program = try RunningProgram("adreact", ["analyze", "x.mp4", "--out", "/proc/nowhere"], in: folder)
        #expect(program.wait(seconds: 20) == 73)
        #expect(program.standardError.contains("/proc/nowhere"))
    }

    @Test(arguments: [["analyze"], ["analyze", "--jobs", "0", "x"], ["nonsense"]]) func wrongUsageIsExplained(arguments: [String]) throws {
        let folder = try TemporaryFolder()
        let program = try RunningProgram("adreact", arguments, in: folder)
        #expect(program.wait(seconds: 20) == 64)
    }
}
