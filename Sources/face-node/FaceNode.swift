import ArgumentParser
import Face
import Media
import MediaKit
import NodeKit

@main
struct FaceNode: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "face-node",
        abstract: "See the viewer's expression.",
        subcommands: [Serve.self, Classify.self, Crop.self],
        defaultSubcommand: Serve.self)

    struct Serve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "serve", abstract: "Serve a pipeline, or (--input) work on one file and print what is seen.")

        @Option(help: "Work on this file alone, and print face frames as JSON Lines.")
        var input: String?
        @OptionGroup var expression: ExpressionOptions
        @Option(help: "Threads for decoding: two let it run ahead of seeing.")
        var decoderThreads = 2
        @OptionGroup var options: NodeOptions

        func validate() throws {
            guard (1...64).contains(decoderThreads) else { throw ValidationError("--decoder-threads must be 1 to 64.") }
        }

        func run() async throws {
            let classifier = try NodeProcess.opening(expression.makeClassifier)
            let make = { [decoderThreads] () throws -> any EvidenceProducer in
                let finder = try FaceFinder(modelsPath: ModelPaths.fetched + "/mediapipe")
                return FaceProducer(analyzer: FaceAnalyzer(finder: finder, classifier: classifier), decoderThreads: decoderThreads)
            }
            if let input { return try LocalRun.command(input: input, track: .video, producer: NodeProcess.opening(make)) }
            let settings = TransformNode.Settings(
                name: "face-node", mediaTrack: .video, evidenceTrack: "face", sharing: .segments,
                mediaEndpoint: options.mediaEndpoint, evidenceEndpoint: options.evidenceEndpoint)
            try await TransformNode.serve(settings, options) { _ in try make() }
        }
    }
}
