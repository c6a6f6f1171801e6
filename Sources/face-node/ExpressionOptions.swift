import ArgumentParser
import Face
import Inference
import NodeKit

/// Which network reads the expression, and how it computes.
struct ExpressionOptions: ParsableArguments {
    @Option(help: "Face model: a folder, or a name in Models.", completion: .directory)
    var model = "face"

    @Option(help: "What the face network computes in: f32 (the reference), int8, bf16, or auto (the fastest of them here; see the card).")
    var precision = Precision.automatic

    @Option(help: "Threads for the face network: more than one helps large networks. The results are the same.")
    var networkThreads = 1

    func validate() throws {
        guard (1...64).contains(networkThreads) else { throw ValidationError("--network-threads must be 1 to 64.") }
    }

    /// - Throws: `InferenceError`.
    func makeClassifier() throws -> ExpressionClassifier {
        try ExpressionClassifier(
            folder: ModelFolder.load(ModelPaths.folder(model)), threadCount: networkThreads, precision: precision)
    }
}

extension Precision: ExpressibleByArgument {}
