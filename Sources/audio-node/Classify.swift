import ArgumentParser
import Foundation
import Inference
import Media
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
            "probabilities" is null and "skipped" says why. A file that cannot be read gets a line on standard error.
            """)

    @Option(help: "Voice model: a folder, or a name in Models.", completion: .directory)
    var model = "voice"

    @Option(help: "Files to work on at the same time.")
    var jobs = max(1, ProcessInfo.processInfo.activeProcessorCount)

    @Argument(help: "Audio or video files.", completion: .file())
    var files: [String]

    func validate() throws {
        guard (1...256).contains(jobs) else { throw ValidationError("--jobs must be 1 to 256") }
    }

    func run() async throws {
        let folder = try NodeProcess.opening {
            let folder = try ModelFolder.load(ModelPaths.folder(model))
            _ = try VoiceFrontEnd(folder: folder, settings: .init())
            return folder
        }
        let queue = FileQueue(count: files.count)
        let output = OrderedOutput()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<min(jobs, files.count) {
                group.addTask {
                    let classifier = try NetworkClassifier(folder: folder)
                    while let position = queue.next() {
                        output.put(Self.outcome(of: files[position], classifier: classifier), at: position)
                    }
                }
            }
            try await group.waitForAll()
        }
        if output.exitCode != 0 { throw ExitCode(output.exitCode) }
    }

    private static func outcome(of path: String, classifier: any VoiceClassifier) -> OrderedOutput.Outcome {
        do {
            let windows = try ClipAnalysis(classifier: classifier, acceptsShortSpeech: true).windows(ofFileAt: path)
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return .line(String(decoding: try encoder.encode(Line(path, windows)), as: UTF8.self))
        } catch let error as MediaError {
            return .failure("audio-node: \(error)", exitCode: error.code == .notFound ? ExitStatus.noInput : ExitStatus.badInput)
        } catch {
            return .failure("audio-node: \(path): \(error)", exitCode: ExitStatus.internalError)
        }
    }

    private struct Line: Encodable {
        struct Probabilities: Encodable { var positive, neutral, negative: Double }

        var file: String
        var probabilities: Probabilities?
        var skipped: String?
        /// Windows with speech, of which the probabilities are the mean.
        var windows: Int

        init(_ file: String, _ windows: [VoiceWindow]) {
            self.file = file
            let heard = windows.compactMap { if case .speech(let speech) = $0.outcome { speech.probabilities } else { nil } }
            self.windows = heard.count
            func mean(_ label: VoiceClass) -> Double {
                let sum = heard.reduce(0) { $0 + Double($1[label.rawValue]) }
                return (sum / Double(heard.count) * 10_000).rounded() / 10_000
            }
            if heard.isEmpty {
                let reasons = windows.compactMap { if case .skipped(let reason) = $0.outcome { reason } else { nil } }
                skipped = (reasons.first { $0 != .silence } ?? .silence).rawValue
            } else {
                probabilities = Probabilities(positive: mean(.positive), neutral: mean(.neutral), negative: mean(.negative))
            }
        }

        private enum CodingKeys: CodingKey { case file, probabilities, skipped, windows }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(file, forKey: .file)
            try container.encode(probabilities, forKey: .probabilities)  // null where there are none
            try container.encodeIfPresent(skipped, forKey: .skipped)
            try container.encode(windows, forKey: .windows)
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

/// Prints the outcomes in the order of the files, each as soon as those before it are there.
private final class OrderedOutput: Sendable {
    enum Outcome: Sendable {
        case line(String)
        case failure(String, exitCode: Int32)
    }

    private struct State {
        var early: [Int: Outcome] = [:]
        var printed = 0
        var exitCode: Int32 = 0
    }

    private let state = Mutex(State())

    /// 0, or the highest code of the files that failed.
    var exitCode: Int32 { state.withLock { $0.exitCode } }

    func put(_ outcome: Outcome, at position: Int) {
        state.withLock { state in
            state.early[position] = outcome
            while let next = state.early.removeValue(forKey: state.printed) {
                state.printed += 1
                switch next {
                case .line(let line): FileHandle.standardOutput.write(Data((line + "\n").utf8))
                case .failure(let message, let code):
                    StandardError.line(message)
                    state.exitCode = max(state.exitCode, code)
                }
            }
        }
    }
}
