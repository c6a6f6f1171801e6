import Foundation
import Testing

/// A live source waits for nobody: what is lost is said, and the rest goes on.
@Suite(.serialized) struct LiveTests {
    /// Longer than the lag that is allowed, and than all of the budgets.
    @Test(.enabled(if: Programs.hasClips, "the shared clips are not here"))
    func aHungNodeLosesItsPartOfALiveSessionAndComesBack() throws {
        let folder = try TemporaryFolder()
        let environment = folder.endpoints
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

    @Test(.enabled(if: Programs.hasClips, "the shared clips are not here"))
    func aSessionGoesOnWhenItsSourceComesBack() throws {
        let folder = try TemporaryFolder()
        let address = "tcp://127.0.0.1:\(freePorts())"
        func sender(seconds: Int) throws -> RunningProgram {
            try RunningProgram(
                "/usr/bin/ffmpeg",
                ["-v", "error", "-re", "-i", Programs.clips + "/talker-1.mp4", "-t", "\(seconds)", "-c", "copy", "-f", "mpegts", address + "?listen=1"],
                in: folder)
        }
        let environment = folder.endpoints
        let nodes = try [
            ("fusion-node", ["--journal", "none"]), ("audio-node", []), ("face-node", []), ("rppg-node", []),
        ].map { try RunningProgram($0, $1, environment: environment, in: folder) }
        let sink = try RunningProgram("sink", ["--out", folder.path + "/out", "--flat", "--exit-after", "1"], environment: environment, in: folder)
        let first = try sender(seconds: 3)
        let listening = "/proc/\(first.process.processIdentifier)/net/tcp"
        let port = String(format: ":%04X", try #require(Int(address.split(separator: ":").last ?? "")))
        func isListening() -> Bool { (try? String(contentsOfFile: listening, encoding: .utf8))?.contains(port) == true }
        try #require(eventually(withinSeconds: 20, isListening), "ffmpeg does not listen: \(first.standardError)")
        let demuxer = try RunningProgram(
            "demuxer", ["--session", "live", "--reconnect-seconds", "20", address], environment: environment, in: folder)
        #expect(first.wait(seconds: 60) == 0)
        #expect(eventually(withinSeconds: 30) { demuxer.standardError.contains("lost; looking for it again") }, "\(demuxer.standardError)")
        let second = try sender(seconds: 3)
        #expect(eventually(withinSeconds: 30) { demuxer.standardError.contains("found again") }, "\(demuxer.standardError)")
        #expect(second.wait(seconds: 60) == 0)
        #expect(sink.wait(seconds: 90) == 0, "\(sink.standardError) \(demuxer.standardError)")
        let results = try Results(in: folder.path + "/out")
        results.expectSound("live")
        let faces = results.emotions.filter { ["face", "fused"].contains($0.lane) }
        #expect(faces.contains { $0.endSeconds < 4 } && faces.contains { $0.startSeconds > 3.2 }, "\(faces)")
        #expect(results.seconds.contains { $0["missing"]?.contains("face") == true }, "the gap is not marked")
        for node in nodes + [demuxer] { #expect(node.process.isRunning) }
    }

    /// Whoever sends, and by whichever protocol: five kinds of stream, at once, in one pipeline.
    @Test(.enabled(if: Programs.hasClips, "the shared clips are not here"))
    func streamsOfEveryKindComeIn() throws {
        let folder = try TemporaryFolder()
        let clip = Programs.clips + "/talker-1.mp4"
        let base = freePorts(5)
        func address(_ number: Int, _ scheme: String, _ path: String = "/live/viewer") -> String { "\(scheme)://127.0.0.1:\(base + number)\(path)" }
        let senders: [(session: String, format: String, from: String, to: String)] = [
            ("rtmp", "flv", address(0, "rtmp"), address(0, "rtmp") + "?listen"),
            ("rtsp", "rtsp", address(1, "rtsp"), address(1, "rtsp") + "?listen"),
            ("http", "matroska", address(2, "http"), address(2, "http") + "?listen"),
            ("srt", "mpegts", address(3, "srt", ""), address(3, "srt", "") + "?mode=listener"),
        ]
        let playlist = try served("hls", of: clip, port: base + 4, in: folder)
        let inputs = senders.map { ($0.session, $0.to) } + [("hls", playlist.url)]
        let pipeline = try PipelineTests.Pipeline(
            demuxing: ["--jobs", "5", "--reconnect-seconds", "1"] + inputs.flatMap { ["--session", $0.0] } + inputs.map(\.1))
        let out = pipeline.folder.path + "/out"
        let sink = try pipeline.reader("sink", ["--out", out, "--exit-after", "\(inputs.count)"])
        var sending: [RunningProgram] = []
        for (number, sender) in senders.enumerated() {
            try #require(eventually(withinSeconds: 30) { isBound(base + number) }, "the demuxer does not listen for \(sender.session)")
            sending.append(try RunningProgram(
                "/usr/bin/ffmpeg", ["-v", "error", "-re", "-i", clip, "-t", "4", "-c", "copy", "-f", sender.format, sender.from], in: folder))
        }
        for (sender, program) in zip(senders, sending) { #expect(program.wait(seconds: 120) == 0, "\(sender.session): \(program.standardError)") }
        #expect(sink.wait(seconds: 240) == 0, "\(sink.standardError)")
        for (session, _) in inputs {
            let results = try Results(in: out + "/" + session)
            results.expectSound(session)
            #expect(results.covered(0, 6, lanes: ["fused", "face", "voice"]) > 3, "\(session): \(results.windows)")
            #expect(results.emotions.contains { $0.lane == "fused" }, "\(session): voice and face do not meet")
        }
        for program in pipeline.programs + [playlist.server] { #expect(program.process.isRunning) }
    }

    @Test(.enabled(if: Programs.hasClips, "the shared clips are not here"), arguments: ["tcp", "rtmp"])
    func strangersDoNotEndWhatListens(scheme: String) throws {
        let port = freePorts()
        let address = "\(scheme)://127.0.0.1:\(port)" + (scheme == "tcp" ? "" : "/live/viewer")
        let pipeline = try PipelineTests.Pipeline(demuxing: ["--session", "live", "--reconnect-seconds", "1", address + "?listen"])
        let sink = try pipeline.reader("sink", ["--out", pipeline.folder.path + "/out", "--flat", "--exit-after", "1"])
        let demuxer = try #require(pipeline.programs.last)
        try #require(eventually(withinSeconds: 30) { isBound(port) }, "the demuxer does not listen")
        // A browser that has lost its way.
        let stranger = try RunningProgram("/usr/bin/ffmpeg", ["-v", "error", "-i", "http://127.0.0.1:\(port)/", "-f", "null", "-"], in: pipeline.folder)
        #expect(eventually(withinSeconds: 30) { demuxer.standardError.contains("listening again") }, "\(demuxer.standardError)")
        stranger.process.terminate()
        try #require(eventually(withinSeconds: 30) { isBound(port) }, "\(demuxer.standardError)")
        let sender = try RunningProgram(
            "/usr/bin/ffmpeg",
            ["-v", "error", "-re", "-i", Programs.clips + "/talker-1.mp4", "-t", "3", "-c", "copy", "-f", scheme == "tcp" ? "mpegts" : "flv", address],
            in: pipeline.folder)
        #expect(sender.wait(seconds: 60) == 0, "\(sender.standardError)")
        #expect(sink.wait(seconds: 240) == 0, "\(sink.standardError)")
        #expect(try Results(in: pipeline.folder.path + "/out").covered(0, 3, lanes: ["fused", "face", "voice"]) > 2)
    }

    @Test func whoWaitsForASenderEndsWhenTold() throws {
        let port = freePorts()
        let folder = try TemporaryFolder()
        let demuxer = try RunningProgram(
            "demuxer", ["--exit-after-drain", "tcp://127.0.0.1:\(port)?listen"], environment: ["ADREACT_MEDIA_ENDPOINT": "ipc://\(folder.path)/media"],
            in: folder)
        try #require(eventually(withinSeconds: 30) { isBound(port) }, "\(demuxer.standardError)")
        demuxer.process.terminate()
        #expect(demuxer.wait(seconds: 10) == 143)
    }

    /// Real libavdevice on a camera without hardware; then nothing comes, though it can still be opened.
    @Test(.enabled(if: Programs.hasClips, "the shared clips are not here"))
    func aCameraIsReadUntilItIsUnplugged() throws {
        let folder = try TemporaryFolder()
        let pipe = folder.path + "/pictures"
        try #require(mkfifo(pipe, 0o600) == 0)
        let pictures = try RunningProgram(
            "/usr/bin/ffmpeg",
            ["-v", "error", "-y", "-re", "-i", Programs.clips + "/talker-1.mp4", "-t", "4", "-vf", "scale=320:240,fps=30", "-pix_fmt", "yuyv422",
             "-f", "rawvideo", pipe], in: folder)
        let pipeline = try PipelineTests.Pipeline(
            demuxing: ["--session", "camera", "--reconnect-seconds", "2", "/dev/video99"],
            demuxerEnvironment: ["LD_PRELOAD": Programs.path("libVirtualCamera.so"), "VIRTUAL_CAMERA": pipe])
        let sink = try pipeline.reader("sink", ["--out", pipeline.folder.path + "/out", "--flat", "--exit-after", "1"])
        #expect(sink.wait(seconds: 240) != nil)
        #expect(pictures.wait(seconds: 10) == 0, "\(pictures.standardError)")
        let said = try #require(pipeline.programs.last).standardError
        #expect(said.contains("lost; looking for it again") && !said.contains("found again"), "\(said)")
        let results = try Results(in: pipeline.folder.path + "/out")
        results.expectSound("camera")
        // 4 s, stretched or squeezed where this machine is slow: a camera's times are those of the clock.
        #expect((3...10).contains(results.seconds.count) && results.covered(0, 10, lanes: ["face"]) > 2, "\(results.windows)")
    }

    /// A playlist and its pieces, behind a server of files.
    private func served(_ name: String, of clip: String, port: Int, in folder: TemporaryFolder) throws -> (url: String, server: RunningProgram) {
        let root = folder.path + "/" + name
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        let packing = try RunningProgram(
            "/usr/bin/ffmpeg",
            ["-v", "error", "-i", clip, "-t", "5", "-c", "copy", "-f", "hls", "-hls_time", "2", "-hls_list_size", "0", root + "/live.m3u8"], in: folder)
        #expect(packing.wait(seconds: 30) == 0, "\(packing.standardError)")
        let python = (ProcessInfo.processInfo.environment["ADREACT_PREFIX"] ?? "/opt/adreact") + "/python/bin/python"
        let server = try RunningProgram(
            python, ["-m", "http.server", "\(port)", "--bind", "127.0.0.1", "--directory", root], in: folder)
        try #require(eventually(withinSeconds: 20) { isBound(port) }, "\(server.standardError)")
        return ("http://127.0.0.1:\(port)/live.m3u8", server)
    }

    /// The first of `count` ports in a row that nobody listens at, below those that the system gives to clients.
    private func freePorts(_ count: Int = 1) -> Int {
        while true {
            let first = Int.random(in: 10_000...30_000)
            if !(first..<first + count).contains(where: isBound) { return first }
        }
    }

    /// Whether somebody listens at a TCP or UDP port of this machine.
    private func isBound(_ port: Int) -> Bool {
        let place = String(format: "0100007F:%04X 00000000:0000", port)
        return ["tcp", "udp"].contains { (try? String(contentsOfFile: "/proc/net/\($0)", encoding: .utf8))?.contains(place) == true }
    }
}
