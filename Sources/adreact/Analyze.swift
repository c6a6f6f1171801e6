import ArgumentParser
import Foundation
import Fusion
import Logging
import NodeKit

struct Analyze: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Analyse recordings: start the pipeline for them, show progress, print and write their timelines.",
        discussion: """
            Writes timeline.jsonl and seconds.csv to --out; with several inputs, to a folder for each, named after it.
            Exit code: 0 all analysed, 65 an input is damaged, 66 one is missing, 69 a model is missing, 73 --out cannot be written.
            """)

    @Argument(help: "Recordings: files, URLs, or - for standard input.")
    var inputs: [String]
    @Option(help: "Folder for the results.")
    var out = "out"
    @Option(help: "Inputs analysed at once.")
    var jobs = 2
    @Flag(help: "Also draw each timeline: timeline.svg.")
    var svg = false
    @Option(help: "Voice model: a folder, or a name in Models.")
    var voiceModel: String?
    @Option(help: "Face model: a folder, or a name in Models.")
    var faceModel: String?
    @Option(help: "Pulse model: a folder, or a name in Models.")
    var pulseModel: String?
    @Option(help: "Set voice and heart rate against what is usual for the person, where the model is made for that: on or off.")
    var baseline = BaselineChoice.on
    @Option(help: "What tells speech from other sound: energy, silero or both.")
    var gate: String?
    @Option(help: "What the networks compute in: f32 (the reference), int8 (face and voice as they are shipped; the others f32), bf16, or auto (the fastest here). Default: auto for face and voice, else f32.")
    var precision: String?
    @Option(help: "Viewer, as it shall travel with the sessions.")
    var viewer = ""
    @Option(help: "Advert, as it shall travel with the sessions.")
    var advert = ""
    @Option(help: "The viewer's consent, in your words; it travels with the sessions.")
    var consent = ""

    func validate() throws {
        guard !inputs.isEmpty else { throw ValidationError("Name at least one recording.") }
        guard (1...64).contains(jobs) else { throw ValidationError("--jobs must be 1 to 64.") }
        guard precision.map(["f32", "int8", "bf16", "auto"].contains) ?? true else {
            throw ValidationError("--precision must be f32, int8, bf16 or auto.")
        }
        guard gate.map(["energy", "silero", "both"].contains) ?? true else { throw ValidationError("--gate must be energy, silero or both.") }
    }

    func run() async throws {
        try NodeProcess.opening { try checkWritable(out) }
        let pipeline = try NodeProcess.opening { try PrivatePipeline(programs(in:)) }
        let report = Report(inputs: zip(SessionName.unique(inputs), inputs).map { ($0, $1) }, out: out, svg: svg)
        let outcome = AsyncStream<Int32>.makeStream()
        Thread.detachNewThread {
            pipeline.reader.forEach { message in
                report.receive(message)
                return !report.isComplete
            }
            outcome.continuation.yield(report.isComplete ? ExitStatus.done : ExitStatus.internalError)
        }
        let stream = outcome.stream
        try await NodeProcess.run(
            finished: {
                await withTaskGroup(of: Int32.self) { group in
                    group.addTask { await pipeline.sinkFinished() }
                    group.addTask {
                        for await code in stream { return code }
                        return ExitStatus.internalError
                    }
                    var code = await group.next() ?? ExitStatus.internalError
                    // Both must be done: the sink has written the files, and this process has seen the whole timeline.
                    if code == ExitStatus.done { code = await group.next() ?? ExitStatus.internalError }
                    group.cancelAll()
                    // What was finished before something went wrong is shown, too.
                    let printed = report.print()
                    return code == ExitStatus.done ? printed : code
                }
            }, stop: pipeline.stop)
    }

    /// The six programs, on endpoints of their own.
    private func programs(in folder: String) -> [Supervisor.Program] {
        func network(_ name: String?, hasInt8: Bool = false) -> [String] {
            let precision = precision == "int8" && !hasInt8 ? "f32" : precision
            return (name.map { ["--model", $0] } ?? []) + (precision.map { ["--precision", $0] } ?? [])
        }
        var about: [String] = []
        for (name, value) in [("--viewer", viewer), ("--advert", advert), ("--consent", consent)] where !value.isEmpty {
            about += [name, value]
        }
        let files = ["--out", out, "--exit-after", String(inputs.count)] + (inputs.count == 1 ? ["--flat"] : [])
        return [
            ("fusion-node", ["--journal", folder + "/journal.sqlite", "--baseline", baseline.rawValue]),
            ("sink", files),
            ("demuxer", ["--jobs", String(jobs), "--keep-session-names"] + about + SessionName.unique(inputs).flatMap { ["--session", $0] } + ["--"] + inputs),
            ("face-node", network(faceModel, hasInt8: faceModel == nil)),
            ("rppg-node", network(pulseModel)),
            ("audio-node", network(voiceModel, hasInt8: voiceModel == nil) + (gate.map { ["--gate", $0] } ?? [])),
        ].map { name, arguments in
            Supervisor.Program(
                name: name, path: ModelPaths.programs + "/" + name, arguments: arguments,
                readsStandardInput: name == "demuxer" && inputs.contains("-"),
                // Every input may crash it, until it is given up.
                mostCrashes: name == "demuxer" ? 5 + CrashNotes.mostCrashesOfInput * inputs.count : 5)
        }
    }

    private func checkWritable(_ folder: String) throws {
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw SessionFailure(exitCode: ExitStatus.cannotWrite, "\(folder): cannot be made: \(error.localizedDescription)")
        }
        guard access(folder, W_OK) == 0 else {
            throw SessionFailure(exitCode: ExitStatus.cannotWrite, "\(folder): cannot be written; choose another --out")
        }
    }
}

/// A pipeline of six processes on private endpoints, in a folder that goes with it.
final class PrivatePipeline: Sendable {
    let reader: TimelineReader
    private let supervisor: Supervisor
    private let folder: String

    init(_ programs: (_ folder: String) -> [Supervisor.Program]) throws {
        let base = NodeOptions.environment("TMPDIR", "/tmp")
        Self.removeLeftovers(in: base)
        folder = base + "/adreact-\(getpid())-\(UInt32.random(in: .min ... .max))"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        // Held for as long as this process lives.
        let lock = open(folder + "/lock", O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        if lock >= 0 { flock(lock, LOCK_EX | LOCK_NB) }
        let endpoints = [
            "ADREACT_MEDIA_ENDPOINT": "ipc://\(folder)/media",
            "ADREACT_EVIDENCE_ENDPOINT": "ipc://\(folder)/evidence",
            "ADREACT_TIMELINE_ENDPOINT": "ipc://\(folder)/timeline",
            "ADREACT_RUN_DIRECTORY": folder,
        ]
        // What is wrong with an input travels with its session and is reported once, by this program.
        let quiet = ["ADREACT_LOG_LEVEL": NodeOptions.environment("ADREACT_LOG_LEVEL", "critical"), "OPENBLAS_NUM_THREADS": "1"]
        var logger = Logger(label: "adreact") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .warning
        supervisor = Supervisor(environment: endpoints.merging(quiet) { $1 }, logger: logger)
        reader = try TimelineReader(
            endpoint: "ipc://\(folder)/timeline", group: nil, fromStart: true, wantsOpenWindows: false, node: "adreact",
            instance: NodeOptions.instance("adreact"),
            logger: logger)
        for program in programs(folder) {
            do { try supervisor.start(program) } catch {
                stop()
                throw SessionFailure(exitCode: ExitStatus.unavailable, "\(program.path): cannot be started: \(error.localizedDescription)")
            }
        }
    }

    /// Waits for the sink to have written everything; the exit code of whatever ended first and was not to.
    func sinkFinished() async -> Int32 {
        for await ending in supervisor.ended { return ending.exitCode }
        return ExitStatus.internalError
    }

    /// What runs left that were ended at once: nothing of a person stays behind for longer than until the next run.
    private static func removeLeftovers(in base: String) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: base)) ?? [] {
            let parts = name.split(separator: "-")
            guard parts.count == 3, parts[0] == "adreact", let process = Int32(parts[1]), UInt32(parts[2]) != nil else { continue }
            var status = stat()
            let path = base + "/" + name
            guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == getuid() else { continue }
            guard kill(process, 0) != 0, errno == ESRCH else { continue }
            // It may live where its number is another one: in a container that shares this folder.
            let lock = open(path + "/lock", O_RDWR | O_CLOEXEC)
            defer { if lock >= 0 { close(lock) } }
            if lock >= 0, flock(lock, LOCK_EX | LOCK_NB) != 0 { continue }
            try? FileManager.default.removeItem(atPath: path)
        }
    }

    @Sendable func stop() {
        supervisor.stop(withinSeconds: 4)
        reader.stop()
        try? FileManager.default.removeItem(atPath: folder)
    }
}
