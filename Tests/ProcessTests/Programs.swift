import Foundation
import Testing

/// The programs that were built beside these tests.
enum Programs {
    static let folder: String = {
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return (tests as NSString).deletingLastPathComponent
    }()

    static let project: String = ["", "", ""].reduce(#filePath) { path, _ in (path as NSString).deletingLastPathComponent }

    static let clips = project + "/../shared/clips"
    static let hasClips = FileManager.default.fileExists(atPath: clips + "/viewer-session.mp4")
    /// Made by set-up; `make test` says where it is.
    static let demoClip = ProcessInfo.processInfo.environment["ADREACT_DEMO_CLIP"] ?? ""
    static let hasDemoClip = FileManager.default.fileExists(atPath: demoClip)

    static func path(_ program: String) -> String { folder + "/" + program }
}

/// A process under test: its output is collected, and it never outlives its test.
final class RunningProgram: @unchecked Sendable {
    let process = Process()
    private let ended = DispatchSemaphore(value: 0)
    private let output: String
    private let errors: String

    init(_ program: String, _ arguments: [String], environment: [String: String] = [:], in folder: TemporaryFolder) throws {
        let name = (program as NSString).lastPathComponent + "-" + String(UInt32.random(in: .min ... .max), radix: 16)
        output = folder.path + "/" + name + ".out"
        errors = folder.path + "/" + name + ".err"
        process.executableURL = URL(fileURLWithPath: program.hasPrefix("/") ? program : Programs.path(program))
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: Programs.project)
        process.environment = ProcessInfo.processInfo.environment
            .merging(["ADREACT_RUN_DIRECTORY": folder.path + "/run"]) { $1 }.merging(environment) { $1 }
        for (path, set) in [(output, { self.process.standardOutput = $0 }), (errors, { self.process.standardError = $0 })] as [(String, (FileHandle) -> Void)] {
            try Data().write(to: URL(fileURLWithPath: path))
            set(try #require(FileHandle(forWritingAtPath: path)))
        }
        process.standardInput = FileHandle.nullDevice
        process.terminationHandler = { [ended] _ in ended.signal() }
        try process.run()
    }

    deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

    var standardOutput: String { (try? String(contentsOfFile: output, encoding: .utf8)) ?? "" }
    var standardError: String { (try? String(contentsOfFile: errors, encoding: .utf8)) ?? "" }

    /// The exit code, or 128 + the signal; `nil` when it has not ended in time.
    func wait(seconds: Double) -> Int32? {
        guard ended.wait(timeout: .now() + seconds) == .success else { return nil }
        ended.signal()
        return process.terminationReason == .uncaughtSignal ? 128 + process.terminationStatus : process.terminationStatus
    }

    /// Processes that this one has started, with their names.
    var children: [(pid: Int32, name: String)] {
        let path = "/proc/\(process.processIdentifier)/task"
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return tasks.flatMap { task in
            ((try? String(contentsOfFile: "\(path)/\(task)/children", encoding: .utf8)) ?? "").split(separator: " ").compactMap { Int32($0) }
        }.map { pid in
            (pid, ((try? String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8)) ?? "").trimmingCharacters(in: .newlines))
        }
    }
}

/// A folder that goes with the test.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "/adreact-test-" + String(UInt64.random(in: .min ... .max), radix: 36)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Of a pipeline of its own.
    var endpoints: [String: String] {
        Dictionary(uniqueKeysWithValues: ["media", "evidence", "timeline"].map { ("ADREACT_\($0.uppercased())_ENDPOINT", "ipc://\(path)/\($0)") })
    }
}

/// Waits for something that will happen, looking often; `false` when it did not in time.
func eventually(withinSeconds seconds: Double, _ condition: () -> Bool) -> Bool {
    let deadline = Date(timeIntervalSinceNow: seconds)
    while !condition() {
        guard Date() < deadline else { return false }
        usleep(10_000)
    }
    return true
}

/// The files of an analysis, read back.
struct Results {
    struct Window: Decodable {
        let session: String, lane: String, label: String
        let startSeconds: Double, endSeconds: Double
        let probabilities: [String: Double]
    }

    let windows: [Window]
    /// By column name, a row a second.
    let seconds: [[String: String]]
    let bytes: (timeline: Data, seconds: Data)

    init(in folder: String) throws {
        bytes = (
            try Data(contentsOf: URL(fileURLWithPath: folder + "/timeline.jsonl")),
            try Data(contentsOf: URL(fileURLWithPath: folder + "/seconds.csv")))
        windows = try bytes.timeline.split(separator: UInt8(ascii: "\n")).map { try JSONDecoder().decode(Window.self, from: $0) }
        let lines = String(decoding: bytes.seconds, as: UTF8.self).split(separator: "\n").map {
            $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        }
        let header = try #require(lines.first)
        seconds = lines.dropFirst().map { Dictionary(uniqueKeysWithValues: zip(header, $0)) }
    }

    var emotions: [Window] { windows.filter { $0.lane != "pulse" }.sorted { $0.startSeconds < $1.startSeconds } }

    /// Seconds of a stretch that windows of these lanes (and labels) cover.
    func covered(_ from: Double, _ to: Double, lanes: Set<String>, label: String? = nil) -> Double {
        emotions.filter { lanes.contains($0.lane) && (label == nil || $0.label == label) }.reduce(0) {
            $0 + max(0, min(to, $1.endSeconds) - max(from, $1.startSeconds))
        }
    }

    /// What every timeline promises.
    func expectSound(_ name: String, sourceLocation: SourceLocation = #_sourceLocation) {
        for (one, next) in zip(emotions, emotions.dropFirst()) {
            #expect(one.endSeconds <= next.startSeconds, "\(name): windows overlap at \(next.startSeconds) s", sourceLocation: sourceLocation)
        }
        for window in windows {
            #expect(window.startSeconds < window.endSeconds, "\(name): an empty window", sourceLocation: sourceLocation)
            #expect(abs(window.probabilities.values.reduce(0, +) - 1) < 0.0002, "\(name): probabilities that are none", sourceLocation: sourceLocation)
        }
        #expect(seconds.indices.allSatisfy { seconds[$0]["second"] == String($0) }, "\(name): a second without a row", sourceLocation: sourceLocation)
    }
}

/// Runs `adreact analyze` to its end.
func analyze(_ inputs: [String], in folder: TemporaryFolder, out: String = "out") throws -> (code: Int32?, program: RunningProgram, out: String) {
    let out = folder.path + "/" + out
    let program = try RunningProgram("adreact", ["analyze"] + inputs + ["--out", out], in: folder)
    return (program.wait(seconds: 240), program, out)
}
