import ArgumentParser
import Inference
import NodeKit
import Voice

/// How a voice is heard: the options that all subcommands share.
struct VoiceOptions: ParsableArguments {
    @Option(help: "Voice model: a folder, or a name in Models.", completion: .directory)
    var model = "voice"

    @Option(help: "What tells speech from other sound: energy, silero or both.")
    var gate = GateChoice.standard

    @Option(help: "What the voice network computes in: f32 (the reference), int8 or bf16, or auto (the fastest that it has and the processor computes natively).")
    var precision = Precision.automatic

    /// - Throws: what loading a model throws.
    func makeClassifier() throws -> NetworkClassifier {
        try NetworkClassifier(folder: ModelFolder.load(ModelPaths.folder(model)), precision: precision)
    }

    /// - Throws: `InferenceError` where Silero's network is wanted and not there.
    func gateMethod() throws -> SpeechGateMethod { try gate.method() }
}

extension Precision: ExpressibleByArgument {}

enum GateChoice: String, ExpressibleByArgument, CaseIterable {
    case energy, silero, both

    /// As measured: docs/speech-gate.md.
    static let standard = GateChoice.both

    /// - Throws: `InferenceError` where Silero's network is wanted and not there.
    func method() throws -> SpeechGateMethod {
        func network() throws -> SileroNetwork {
            try SileroNetwork(modelAt: ModelPaths.fetched + "/" + SileroNetwork.fileName)
        }
        return switch self {
        case .energy: .energy
        case .silero: .silero(try network())
        case .both: .both(try network())
        }
    }
}
