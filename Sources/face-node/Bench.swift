import ArgumentParser
import Face
import Foundation
import Media
import MediaKit
import NodeKit

/// `face-node bench`: what seeing a video costs, stage by stage.
struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure what the analysis of a video costs, stage by stage, on one core.",
        discussion: """
            Processor time of this machine at this moment, frame after frame, as a stream is analysed. "ms/frame" is over all \
            frames, whether the stage was needed in them or not; "ms each" over those in which it was. Memory is the most that the \
            process has held.
            """)

    @OptionGroup var expression: ExpressionOptions
    @OptionGroup var detectors: FaceDetectorOptions

    @Argument(help: "A video.", completion: .file())
    var file: String

    func run() throws {
        let analyzer = try detectors.load {
            FaceAnalyzer(
                finder: try detectors.makeFinder(), headReader: try detectors.makeHeadReader(),
                classifier: try expression.makeClassifier())
        }
        let stopwatch = Stopwatch()
        analyzer.onStageEnd = { stopwatch.lap($0.rawValue) }
        var frames = 0
        var (width, height) = (0, 0)
        do {
            try VideoFile.read(file, decoded: { stopwatch.lap("decode") }) { frame in
                frames += 1
                (width, height) = (frame.width, frame.height)
                stopwatch.start()
                _ = try analyzer.analyze(frame)
                stopwatch.start()
            }
        } catch let error as MediaError {
            throw NodeProcess.end(SessionFailure(error, input: file).exitCode, "\(error)")
        }
        print("\(file): \(frames) frames of \(width) x \(height)")
        print("stage     ms/frame   ms each   times")
        let stages = ["decode"] + FaceAnalyzer.Stage.allCases.map(\.rawValue)
        for stage in stages { row(stage, [stage], frames, stopwatch) }
        row("all", stages, frames, stopwatch)
        row("all but decode", Array(stages.dropFirst()), frames, stopwatch)
        print(String(format: "peak memory %.0f MB", ProcessorTime.peakMegabytes))
    }

    private func row(_ name: String, _ stages: [String], _ frames: Int, _ stopwatch: Stopwatch) {
        let cost = stages.map { stopwatch.seconds[$0, default: 0] }.reduce(0, +) * 1000
        let count = stages.count == 1 ? stopwatch.laps[stages[0], default: 0] : frames
        print(
            name.padding(toLength: 14, withPad: " ", startingAt: 0)
                + String(format: "%8.2f%10.2f%8d", cost / Double(max(frames, 1)), cost / Double(max(count, 1)), count))
    }
}

/// Adds up the processor time of all threads of this process, by stage.
private final class Stopwatch {
    private(set) var seconds: [String: Double] = [:]
    private(set) var laps: [String: Int] = [:]
    private var last = ProcessorTime.now

    /// What passed before counts for no stage.
    func start() { last = ProcessorTime.now }

    /// What passed since the last lap counts for this stage.
    func lap(_ stage: String) {
        let now = ProcessorTime.now
        seconds[stage, default: 0] += now - last
        laps[stage, default: 0] += 1
        last = now
    }
}
