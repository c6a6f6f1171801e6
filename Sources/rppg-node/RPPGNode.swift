import ArgumentParser
import Face
import Inference
import Media
import MediaKit
import NodeKit
import Pulse

@main
struct RPPGNode: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rppg-node",
        abstract: "Measure the pulse that a camera sees in the skin.",
        subcommands: [Serve.self, Measure.self, Features.self],
        defaultSubcommand: Serve.self)

    struct Serve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "serve", abstract: "Serve a pipeline, or (--input) work on one file and print what is measured.")

        @Option(help: "Work on this file alone, and print pulse clips as JSON Lines.")
        var input: String?
        @Option(help: "Pulse model: a folder, or a name in Models.")
        var model = "pulse-heart-rate"
        @Option(help: "What the pulse network computes in: f32 (the reference), bf16, or auto (bf16 where it is faster).")
        var precision = Precision.f32
        @Option(
            help: "A network that tells the heart rate instead of POS and GREEN: a folder (training.pulse_import makes them), or a name in Models.")
        var waveModel: String?
        @Option(help: "Threads for decoding.")
        var decoderThreads = 1
        @OptionGroup var options: NodeOptions

        func validate() throws {
            guard (1...64).contains(decoderThreads) else { throw ValidationError("--decoder-threads must be 1 to 64.") }
        }

        func run() async throws {
            let classifier = try NodeProcess.opening {
                try pulseClassifier(folder: ModelFolder.load(ModelPaths.folder(model)), precision: precision)
            }
            let network = try waveModel.map { path in
                try NodeProcess.opening { try FaceWaveNetwork(folder: ModelFolder.load(ModelPaths.folder(path))) }
            }
            let make = { [decoderThreads] () throws -> any EvidenceProducer in
                try PulseProducer(
                    finder: SkinFinder(modelsPath: ModelPaths.fetched + "/mediapipe"), settings: PulseSettings(),
                    network: network, classifier: classifier, decoderThreads: decoderThreads)
            }
            if let input { return try LocalRun.command(input: input, track: .video, producer: NodeProcess.opening(make)) }
            let settings = TransformNode.Settings(
                name: "rppg-node", mediaTrack: .video, evidenceTrack: "pulse", sharing: .sessions,
                mediaEndpoint: options.mediaEndpoint, evidenceEndpoint: options.evidenceEndpoint)
            try await TransformNode.serve(settings, options) { _ in try make() }
        }
    }
}

extension Precision: ExpressibleByArgument {}
