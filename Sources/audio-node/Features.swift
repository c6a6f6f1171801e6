import ArgumentParser
import Foundation
import Inference
import Media
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

    @Flag(help: "Write 16-bit floats.")
    var half = false

    @Flag(help: "Take clips as cut by hand: where the gate finds no speech of the usual length, a shorter stretch will do.")
    var clips = false

    @Option(name: .customLong("files-from"), help: "A text file with the audio files' paths, one a line.", completion: .file())
    var list: String?

    @Argument(help: "Audio files.", completion: .file())
    var files: [String] = []

    func run() async throws {
        var paths = files
        if let list {
            guard let lines = try? String(contentsOfFile: list, encoding: .utf8) else {
                throw NodeProcess.end(ExitStatus.noInput, "\(list) cannot be read as text")
            }
            paths += lines.split(separator: "\n").map(String.init)
        }
        guard !paths.isEmpty else { throw ValidationError("no audio files given") }
        let frontEnd = try VoiceFrontEnd(features: kind == .mfcc ? .mfcc(.init()) : .logMel(.init()), settings: .init())

        let images = try NumPyWriter(path: out, rowShape: frontEnd.shape, half: half)
        let stem = out.hasSuffix(".npy") ? String(out.dropLast(4)) : out
        let weights =
            try frontEnd.weighsSpeech
            ? NumPyWriter(path: stem + "-weights.npy", rowShape: [frontEnd.shape[1] / 2], half: false) : nil
        let index = try LineWriter(path: stem + ".jsonl")
        var failures = 0
        for (position, path) in paths.enumerated() {
            do {
                let recorder = FeatureRecorder(frontEnd: frontEnd)
                let windows = try ClipAnalysis(classifier: recorder, acceptsShortSpeech: clips).windows(ofFileAt: path)
                var recorded = recorder.recorded.makeIterator()
                for window in windows {
                    guard case .speech = window.outcome, let features = recorded.next() else {
                        try index.write(IndexLine(path, window, row: nil))
                        continue
                    }
                    try index.write(IndexLine(path, window, row: images.rowCount))
                    try images.append(features.image)
                    if let shares = features.speechWeights { try weights?.append(shares) }
                }
            } catch {
                failures += 1
                StandardError.line("audio-node: \(error is MediaError ? "" : "\(path): ")\(error)")
            }
            if position % 100 == 99 || position == paths.count - 1 {
                StandardError.line("\(position + 1) of \(paths.count) files, \(images.rowCount) windows")
            }
        }
        try images.close()
        try weights?.close()
        if failures > 0 { throw ExitCode(ExitStatus.badInput) }
    }

    private struct IndexLine: Encodable {
        var file: String
        var row: Int?
        var window: Int64
        var speechStartSeconds: Double?
        var speechEndSeconds: Double?
        var skipped: String?

        init(_ file: String, _ window: VoiceWindow, row: Int?) {
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
}

/// Keeps the features that pass through the analyzer, in the order of the windows with speech.
private final class FeatureRecorder: VoiceClassifier {
    private(set) var recorded: [VoiceFeatures] = []
    private let frontEnd: VoiceFrontEnd

    init(frontEnd: VoiceFrontEnd) { self.frontEnd = frontEnd }

    func features(of window: UnsafeBufferPointer<Float>, speech: Range<Int>) -> VoiceFeatures {
        frontEnd.features(of: window, speech: speech)
    }

    func logits(of batch: [VoiceFeatures]) -> [[Float]] {
        recorded += batch
        return batch.map { _ in [0, 0, 0] }
    }
}
