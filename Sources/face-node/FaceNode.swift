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
        subcommands: [Serve.self, Classify.self, Crop.self, Detect.self, Bench.self],
        defaultSubcommand: Serve.self)

    struct Serve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "serve", abstract: "Serve a pipeline, or (--input) work on one file and print what is seen.")

        @Option(help: "Work on this file alone, and print face frames as JSON Lines.")
        var input: String?
        @OptionGroup var expression: ExpressionOptions
        @OptionGroup var detectors: FaceDetectorOptions
        @Option(help: "Whose faces to report: the main viewer's, or everybody's, each with an id. The timeline is the viewer's.")
        var faces = Faces.main
        @Option(help: "Threads for decoding: two let it run ahead of seeing.")
        var decoderThreads = 2
        @OptionGroup var options: NodeOptions

        enum Faces: String, ExpressibleByArgument, CaseIterable {
            case main, all
        }

        func validate() throws {
            guard (1...64).contains(decoderThreads) else { throw ValidationError("--decoder-threads must be 1 to 64.") }
        }

        func run() async throws {
            let classifier = try NodeProcess.opening(expression.makeClassifier)
            let headReader = try NodeProcess.opening(detectors.makeHeadReader)
            let make = { [decoderThreads, detectors, faces] () throws -> any EvidenceProducer in
                let finder = try detectors.makeFinder(tracksAll: faces == .all)
                let analyzer = FaceAnalyzer(finder: finder, headReader: headReader, classifier: classifier)
                return FaceProducer(analyzer: analyzer, decoderThreads: decoderThreads)
            }
            if let input { return try LocalRun.command(input: input, track: .video, producer: NodeProcess.opening(make)) }
            let settings = TransformNode.Settings(
                name: "face-node", mediaTrack: .video, evidenceTrack: "face", sharing: .segments,
                mediaEndpoint: options.mediaEndpoint, evidenceEndpoint: options.evidenceEndpoint)
            try await TransformNode.serve(settings, options) { _ in try make() }
        }
    }
}
