import ArgumentParser
import Foundation
import Inference
import Media
import MediaKit
import NodeKit
import Voice

/// `audio-node gate`: where there is speech, window by window, without any judgement of it.
struct Gate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell where there is speech, and why a window is skipped.",
        discussion: "Prints one JSON line a window: its file and number, the bounds of its speech, or why there is none.")

    @Option(help: "What tells speech from other sound: energy, silero or both.")
    var gate = GateChoice.standard

    @Flag(help: "Take clips as cut by hand: where there is no speech of the usual length, a shorter stretch will do.")
    var clips = false

    @Option(name: .customLong("files-from"), help: "A text file with the audio files' paths, one a line.", completion: .file())
    var list: String?

    @Argument(help: "Audio or video files.", completion: .file())
    var files: [String] = []

    func run() async throws {
        let paths = try PathList.paths(files, list: list)
        let method = try NodeProcess.opening { try gate.method() }
        let analysis = ClipAnalysis(classifier: NoClassifier(), gate: method, acceptsShortSpeech: clips)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var exitCode = ExitStatus.done
        for path in paths {
            do {
                let result = try analysis.windows(ofFileAt: path)
                let lines = try result.windows.map { try encoder.encode(WindowLine(path, $0)) + Data("\n".utf8) }
                try FileHandle.standardOutput.write(contentsOf: Data(lines.joined()))
                if let truncation = result.truncation { throw truncation }
            } catch {
                let failure = SessionFailure(error, input: path)
                exitCode = max(exitCode, failure.exitCode)
                StandardStreams.tell("audio-node: \(failure)")
            }
        }
        if exitCode != ExitStatus.done { throw ExitCode(exitCode) }
    }
}

/// Paths from the command line and from a list.
enum PathList {
    static func paths(_ files: [String], list: String?) throws -> [String] {
        var paths = files
        if let list {
            guard let lines = try? String(contentsOfFile: list, encoding: .utf8) else {
                throw NodeProcess.end(ExitStatus.noInput, "\(list) cannot be read as text")
            }
            paths += lines.split(separator: "\n").map(String.init)
        }
        guard !paths.isEmpty else { throw ValidationError("no audio files given") }
        return paths
    }
}

/// A window as one line of JSON.
struct WindowLine: Encodable {
    var file: String
    var row: Int?
    var window: Int64
    var speechStartSeconds: Double?
    var speechEndSeconds: Double?
    var skipped: String?

    /// - Parameter row: its place in a file of features.
    init(_ file: String, _ window: VoiceWindow, row: Int? = nil) {
        self.file = file
        self.row = row
        self.window = window.index
        switch window.outcome {
        case .speech(let speech):
            speechStartSeconds = Double(speech.startNanoseconds) / 1e9
            speechEndSeconds = Double(speech.endNanoseconds) / 1e9
        case .skipped(let reason): skipped = reason.rawValue
        }
    }
}

/// Judges nothing.
private final class NoClassifier: VoiceClassifier, VoiceFeatureExtractor {
    func makeExtractor() -> any VoiceFeatureExtractor { self }

    func features(of window: UnsafeBufferPointer<Float>, startSample: Int64, speech: Range<Int>) -> VoiceFeatures { VoiceFeatures(image: []) }
    func logits(of batch: [VoiceFeatures]) -> [ModelLogits] { batch.map { _ in ModelLogits(plain: [0, 0, 0]) } }
}
