import Foundation
import Synchronization
import Testing

/// Whatever dies or hangs, whenever it comes back: the timeline of a recording is the same, byte for byte.
///
/// `ADREACT_CHAOS_RUNS` sets how many runs there are (`make chaos`), `ADREACT_CHAOS_SEED` repeats one that failed.
@Suite(.serialized) struct ChaosTests {
    static let environment = ProcessInfo.processInfo.environment
    static let seeds: [UInt64] = {
        if let seed = UInt64(environment["ADREACT_CHAOS_SEED"] ?? "") { return [seed] }
        return (0..<(Int(environment["ADREACT_CHAOS_RUNS"] ?? "") ?? 4)).map { _ in UInt64.random(in: .min ... .max) }
    }()

    @Test(.enabled(if: Programs.hasClips && Programs.hasDemoClip, "the shared clips are not here"), arguments: seeds)
    func theTimelineIsTheSame(seed: UInt64) throws {
        var random = SeededGenerator(state: seed)
        let clip = seed % 2 == 0 ? Programs.demoClip : Programs.clips + "/viewer-session.mp4"
        let expected = try Undisturbed.results(of: clip)
        let disturbances = (0..<Int.random(in: 1...5, using: &random)).map { _ in Disturbance(&random) }.sorted { $0.atSeconds < $1.atSeconds }
        print("chaos: seed \(seed), \((clip as NSString).lastPathComponent): \(disturbances.map(\.description).joined(separator: "; "))")
        let pipeline = try DisturbedPipeline(clip: clip)
        let whatHappened: Comment = "seed \(seed): \(disturbances.map(\.description).joined(separator: "; "))"
        #expect(try pipeline.run(disturbances, withinSeconds: 240), "did not end: \(whatHappened)")
        let results = try? Results(in: pipeline.out)
        #expect(results?.bytes.timeline == expected.timeline, "another timeline.jsonl: \(whatHappened)")
        #expect(results?.bytes.seconds == expected.seconds, "another seconds.csv: \(whatHappened)")
    }

    /// The same under the supervisor of `adreact analyze`, which starts the dead again by itself.
    @Test(.enabled(if: Programs.hasClips, "the shared clips are not here"), arguments: seeds.prefix(2))
    func theSupervisorBringsTheDeadBack(seed: UInt64) throws {
        var random = SeededGenerator(state: seed)
        let clip = Programs.clips + "/sad-then-happy.mp4"
        let expected = try Undisturbed.results(of: clip)
        let folder = try TemporaryFolder()
        let out = folder.path + "/disturbed"
        let program = try RunningProgram("adreact", ["analyze", clip, "--out", out], in: folder)
        var kills: [String] = []
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            _ = eventually(withinSeconds: Double.random(in: 0.25...2, using: &random)) { !program.process.isRunning }
            guard let victim = program.children.randomElement(using: &random) else { break }
            kills.append(victim.name)
            kill(victim.pid, SIGKILL)
        }
        #expect(program.wait(seconds: 240) == 0, "seed \(seed), killed \(kills): \(program.standardError)")
        let results = try Results(in: out)
        #expect(results.bytes == expected, "seed \(seed), killed \(kills): another timeline")
    }
}

/// One thing that goes wrong.
private struct Disturbance: CustomStringConvertible {
    enum Kind {
        /// SIGKILL; somebody starts it again later.
        case death(restartAfterSeconds: Double)
        /// SIGSTOP, then SIGCONT: longer than the liveness time, or shorter.
        case hang(seconds: Double)
    }

    let atSeconds: Double
    let victim: String
    let kind: Kind

    init(_ random: inout SeededGenerator) {
        atSeconds = Double.random(in: 0...10, using: &random)
        victim = DisturbedPipeline.names.randomElement(using: &random) ?? "face-node"
        kind = Int.random(in: 0..<3, using: &random) > 0
            ? .death(restartAfterSeconds: Double.random(in: 0...3, using: &random)) : .hang(seconds: Double.random(in: 0...5, using: &random))
    }

    var description: String {
        switch kind {
        case .death(let delay): String(format: "%@ killed at %.1f s, back after %.1f s", victim, atSeconds, delay)
        case .hang(let seconds): String(format: "%@ stopped at %.1f s for %.1f s", victim, atSeconds, seconds)
        }
    }
}

/// The six processes as a Procfile starts them, without a supervisor: what dies stays dead until the test says otherwise.
private final class DisturbedPipeline {
    static let names = ["fusion-node", "audio-node", "face-node", "rppg-node", "demuxer", "sink"]

    let folder: TemporaryFolder
    var out: String { folder.path + "/out" }
    private let clip: String
    private var running: [String: RunningProgram] = [:]

    init(clip: String) throws {
        folder = try TemporaryFolder()
        self.clip = clip
        for name in Self.names { try start(name) }
    }

    private func start(_ name: String) throws {
        let arguments: [String] = switch name {
        case "fusion-node": ["--journal", folder.path + "/journal.sqlite"]
        case "demuxer": ["--session", (clip as NSString).lastPathComponent.replacingOccurrences(of: ".mp4", with: ""), clip]
        case "sink": ["--out", out, "--flat", "--exit-after", "1"]
        default: []
        }
        let environment = folder.endpoints
        running[name] = try RunningProgram(name, arguments, environment: environment, in: folder)
    }

    /// Whether the sink ended in time, and well.
    func run(_ disturbances: [Disturbance], withinSeconds seconds: Double) throws -> Bool {
        let begin = Date()
        later = disturbances.map { disturbance in (disturbance.atSeconds, { [unowned self] in disturb(disturbance) }) }
        while true {
            let wait = later.map(\.at).min().map { max(0, $0 + begin.timeIntervalSinceNow) } ?? max(0, seconds + begin.timeIntervalSinceNow)
            if eventually(withinSeconds: wait, { isFinished }) { return true }
            guard let next = later.indices.min(by: { later[$0].at < later[$1].at }) else { return false }
            try later.remove(at: next).action()
        }
    }

    private func disturb(_ disturbance: Disturbance) {
        guard let program = running[disturbance.victim], program.process.isRunning else { return }
        let process = program.process
        switch disturbance.kind {
        case .death(let delay):
            kill(process.processIdentifier, SIGKILL)
            // Until the system has told of the death it seems to run, and with a short delay would not be started again.
            _ = program.wait(seconds: 10)
            later.append((disturbance.atSeconds + delay, { [unowned self] in
                // Another disturbance may have brought it back already.
                if running[disturbance.victim]?.process.isRunning != true { try start(disturbance.victim) }
            }))
        case .hang(let seconds):
            kill(process.processIdentifier, SIGSTOP)
            later.append((disturbance.atSeconds + seconds, { kill(process.processIdentifier, SIGCONT) }))
        }
    }

    /// What is still to be done, and when, in seconds from the start.
    private var later: [(at: Double, action: () throws -> Void)] = []

    private var isFinished: Bool {
        guard let sink = running["sink"]?.process, !sink.isRunning else { return false }
        return sink.terminationReason == .exit && sink.terminationStatus == 0
    }
}

/// What comes out when nothing goes wrong, for each clip once.
enum Undisturbed {
    private static let known = Mutex<[String: (timeline: Data, seconds: Data)]>([:])

    /// One at a time: who comes while it is found out waits for it.
    static func results(of clip: String) throws -> (timeline: Data, seconds: Data) {
        try known.withLock { known in
            if let results = known[clip] { return results }
            let folder = try TemporaryFolder()
            let analysis = try analyze([clip], in: folder)
            try #require(analysis.code == 0, "\(analysis.program.standardError)")
            let results = try Results(in: analysis.out).bytes
            known[clip] = results
            return results
        }
    }
}

struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    /// SplitMix64 (Steele, Lea and Flood 2014).
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
