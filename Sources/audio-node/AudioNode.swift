import ArgumentParser
import Inference
import Media
import MediaKit
import NodeKit
import Voice

@main
struct AudioNode: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audio-node",
        abstract: "Hear the emotion in speech.",
        subcommands: [Serve.self, Classify.self, Features.self, Gate.self, Bench.self],
        defaultSubcommand: Serve.self)

    struct Serve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "serve", abstract: "Serve a pipeline, or (--input) work on one file and print what is heard.")

        @Option(help: "Work on this file alone, and print voice windows as JSON Lines.")
        var input: String?
        @OptionGroup var voice: VoiceOptions
        @OptionGroup var options: NodeOptions

        func run() async throws {
            let (classifier, gate) = try NodeProcess.opening {
                (try voice.makeClassifier(), try voice.gateMethod())
            }
            let make = { () -> any EvidenceProducer in
                VoiceProducer(settings: VoiceSettings(), classifier: classifier, gate: gate)
            }
            if let input { return try LocalRun.command(input: input, track: .audio, producer: make()) }
            let settings = TransformNode.Settings(
                name: "audio-node", mediaTrack: .audio, evidenceTrack: "voice", sharing: .sessions,
                mediaEndpoint: options.mediaEndpoint, evidenceEndpoint: options.evidenceEndpoint)
            try await TransformNode.serve(settings, options) { _ in make() }
        }
    }
}
