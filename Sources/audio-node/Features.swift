import ArgumentParser
import Foundation
import Inference
import Media
import MediaKit
import NodeKit
import Voice

/// `audio-node features`: what a network is trained with, computed by the code that serves it.
struct Features: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compute the features of audio files, for training.",
        discussion: """
            Writes the features of every window with speech to a NumPy file of shape (windows, rows, columns). Beside it, in
            NAME.jsonl, there is one line a window, skipped ones included, with its file, its times, and its row in the
            NumPy file; for log-mel features, NAME-weights.npy holds the share of the speech in each step of the encoder.
            """)

    enum Kind: String, ExpressibleByArgument, CaseIterable {
        case mfcc
        case logMel = "log-mel"
    }

    @Option(help: "Which features: \(Kind.allCases.map(\.rawValue).joined(separator: " or ")).")
    var kind = Kind.mfcc

    @Option(help: "The NumPy file to write.", completion: .file(extensions: ["npy"]))
    var out: String

    @Option(help: "What tells speech from other sound: energy, silero or both.")
    var gate = GateChoice.standard

    @Flag(help: "Write 16-bit floats.")
    var half = false

    @Flag(help: "Take clips as cut by hand: where the gate finds no speech of the usual length, a shorter stretch will do.")
    var clips = false

    @Option(name: .customLong("files-from"), help: "A text file with the audio files' paths, one a line.", completion: .file())
    var list: String?

    @Argument(help: "Audio files.", completion: .file())
    var files: [String] = []

    func run() async throws {
        let paths = try PathList.paths(files, list: list)
        let method = try NodeProcess.opening { try gate.method() }
        let features = kind == .mfcc ? VoiceModelSettings.Features.mfcc(.init()) : .logMel(.init())
        let frontEnd = try VoiceFrontEnd(features: features, settings: .init())

        let images = try NumPyWriter(path: out, rowShape: frontEnd.shape, half: half)
        let stem = out.hasSuffix(".npy") ? String(out.dropLast(4)) : out
        let weights =
            try frontEnd.weighsSpeech
            ? NumPyWriter(path: stem + "-weights.npy", rowShape: [frontEnd.shape[1] / 2], half: false) : nil
        let index = try LineWriter(path: stem + ".jsonl")
        var exitCode = ExitStatus.done
        for (position, path) in paths.enumerated() {
            do {
                let recorder = FeatureRecorder(features: features)
                let result = try ClipAnalysis(classifier: recorder, gate: method, acceptsShortSpeech: clips).windows(ofFileAt: path)
                var recorded = recorder.recorded.makeIterator()
                for window in result.windows {
                    guard case .speech = window.outcome, let image = recorded.next() else {
                        try index.write(WindowLine(path, window))
                        continue
                    }
                    try index.write(WindowLine(path, window, row: images.rowCount))
                    try images.append(image.image)
                    if let shares = image.speechWeights { try weights?.append(shares) }
                }
                if let truncation = result.truncation { throw truncation }
            } catch {
                let failure = SessionFailure(error, input: path)
                exitCode = max(exitCode, failure.exitCode)
                StandardStreams.tell("audio-node: \(failure)")
            }
            if position % 100 == 99 || position == paths.count - 1 {
                StandardStreams.tell("\(position + 1) of \(paths.count) files, \(images.rowCount) windows")
            }
        }
        try images.close()
        try weights?.close()
        if exitCode != ExitStatus.done { throw ExitCode(exitCode) }
    }
}

/// Keeps the features that pass through the analyzer, in the order of the windows with speech.
private final class FeatureRecorder: VoiceClassifier {
    private(set) var recorded: [VoiceFeatures] = []
    private let features: VoiceModelSettings.Features

    init(features: VoiceModelSettings.Features) { self.features = features }

    func makeExtractor() throws -> any VoiceFeatureExtractor { try VoiceFrontEnd(features: features, settings: .init()) }

    func logits(of batch: [VoiceFeatures]) -> [ModelLogits] {
        recorded += batch
        return batch.map { _ in ModelLogits(plain: [0, 0, 0]) }
    }
}
