import ArgumentParser
import Foundation
import Fusion
import Inference
import Media
import MediaKit
import NodeKit
import Synchronization
import Voice

/// `audio-node classify`: one JSON line a file, in the order of the files.
struct Classify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell the emotion in the voice, file by file.",
        discussion: """
            Prints one JSON line a file: the mean of the probabilities over its windows with speech. A file shorter than a
            window is padded with silence; one that holds only a word or two is taken as it is. Where nothing was heard,
            "probabilities" is null and "skipped" says why. A file that cannot be read, or not to its end, gets a line on
            standard error.

            --same-person: all files are one person's speech, and each is set against what is usual for this person, if the
            network is made for that; "baselineWindows" says how many windows of speech that was made of. Nothing is printed
            before all files are read.
            """)

    @OptionGroup var voice: VoiceOptions

    @Flag(help: "Take all files as one person's speech.")
    var samePerson = false

    @Option(help: "With --same-person: on, or off for plain results.")
    var baseline = BaselineChoice.on

    @Option(help: "Files to work on at the same time.")
    var jobs = max(1, ProcessInfo.processInfo.activeProcessorCount)

    @Argument(help: "Audio or video files.", completion: .file())
    var files: [String]

    func validate() throws {
        guard (1...256).contains(jobs) else { throw ValidationError("--jobs must be 1 to 256") }
    }

    func run() async throws {
        let (folder, first) = try NodeProcess.opening {
            let folder = try ModelFolder.load(ModelPaths.folder(voice.model))
            _ = try voice.gateMethod()
            return (folder, try NetworkClassifier(folder: folder, precision: voice.precision).baseline)
        }
        let personal = samePerson && baseline == .on ? first.map(PersonalBaseline.init) : nil
        if samePerson, baseline == .on, personal == nil {
            StandardStreams.tell("audio-node: \(folder.path) has no personal baseline: --same-person changes nothing")
        }
        let queue = FileQueue(count: files.count)
        let output = OrderedOutput(files: files, personal: personal)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<min(jobs, files.count) {
                group.addTask {
                    let analysis = ClipAnalysis(
                        classifier: try NetworkClassifier(folder: folder, precision: voice.precision), gate: try voice.gateMethod(), acceptsShortSpeech: true)
                    while let position = queue.next() {
                        try output.put(Self.outcome(of: files[position], analysis), at: position)
                    }
                }
            }
            try await group.waitForAll()
        }
        try output.finish()
        if output.exitCode != 0 { throw ExitCode(output.exitCode) }
    }

    private static func outcome(of path: String, _ analysis: ClipAnalysis) -> OrderedOutput.Outcome {
        do {
            let result = try analysis.windows(ofFileAt: path)
            return .init(windows: result.windows, problem: result.truncation.map { SessionFailure($0, input: path) })
        } catch {
            return .init(windows: nil, problem: SessionFailure(error, input: path))
        }
    }
}

/// Hands out the positions of the files, each once.
private final class FileQueue: Sendable {
    private let count: Int
    private let nextPosition = Mutex(0)

    init(count: Int) { self.count = count }

    func next() -> Int? {
        nextPosition.withLock { position in
            guard position < count else { return nil }
            defer { position += 1 }
            return position
        }
    }
}

/// Prints the outcomes in the order of the files: each as soon as those before it are there, or, of one person, at the end.
private final class OrderedOutput: Sendable {
    struct Outcome: Sendable {
        /// nil: nothing could be read.
        var windows: [VoiceWindow]?
        var problem: SessionFailure?
    }

    private struct State {
        var early: [Int: Outcome] = [:]
        var printed = 0
        var exitCode: Int32 = 0
    }

    private let files: [String]
    private let personal: PersonalBaseline?
    private let state = Mutex(State())

    /// - Parameter personal: nil to take each file for itself.
    init(files: [String], personal: PersonalBaseline?) {
        self.files = files
        self.personal = personal
    }

    /// 0, or the highest code of the files that failed.
    var exitCode: Int32 { state.withLock { $0.exitCode } }

    func put(_ outcome: Outcome, at position: Int) throws {
        try state.withLock { state in
            state.early[position] = outcome
            if personal == nil { try printReady(&state, person: nil) }
        }
    }

    /// All files are there.
    func finish() throws {
        try state.withLock { state in
            var person = PersonalMean()
            for position in files.indices {
                guard let windows = state.early[position]?.windows else { continue }
                person.beginClip()
                for case .speech(let speech) in windows.map(\.outcome) {
                    guard let relative = speech.relativeLogits else { continue }
                    person.add(
                        relativeLogits: relative, startNanoseconds: speech.startNanoseconds, endNanoseconds: speech.endNanoseconds)
                }
            }
            try printReady(&state, person: person)
        }
    }

    private func printReady(_ state: inout State, person: PersonalMean?) throws {
        while let next = state.early.removeValue(forKey: state.printed) {
            if let windows = next.windows {
                let line = ClassifiedFile(files[state.printed], windows, personal: personal, person: person)
                try StandardStreams.print(Data(line.json.utf8))
            }
            if let problem = next.problem {
                StandardStreams.tell("audio-node: \(problem)")
                state.exitCode = max(state.exitCode, problem.exitCode)
            }
            state.printed += 1
        }
    }
}
