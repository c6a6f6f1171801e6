import Inference

/// Silero's voice activity detector (MIT licence), in the variant that takes a sequence: chunks of 32 ms at 16 kHz in, the
/// probability of speech in each out. What it has heard travels as a state, so that a sequence may be cut anywhere.
///
/// Any thread may call it; calls made at the same time wait for one another.
public final class SileroNetwork: Sendable {
    /// The network's file, in the folder that set-up fetches.
    public static let fileName = "silero-vad/silero_vad_16k_sequence.onnx"

    static let sampleRateHz = 16_000
    static let chunkSamples = 512
    /// Samples before a chunk that the network sees with it.
    static let contextSamples = 64

    /// What the network remembers between chunks: the hidden and the cell state of its LSTM.
    struct State: Sendable {
        static let shape = [1, 1, 128]
        var hidden = Tensor(shape: shape, values: [Float](repeating: 0, count: 128))
        var cell = Tensor(shape: shape, values: [Float](repeating: 0, count: 128))
    }

    private let model: CompiledModel

    /// - Parameter path: of the network's ONNX file.
    /// - Throws: `InferenceError` for a file that cannot be loaded, `VoiceError` for a network of another kind.
    public init(modelAt path: String) throws {
        model = try CompiledModel(modelAt: path)
        let row = Self.contextSamples + Self.chunkSamples
        guard model.inputs.map(\.shape) == [[-1, row], State.shape, State.shape], model.outputs.count == 3 else {
            throw VoiceError(.unusableModel, "\(path) is not Silero's network for sequences at 16 kHz; run make setup")
        }
    }

    /// - Parameters:
    ///   - chunks: `contextSamples + chunkSamples` values for each chunk, one chunk after the other.
    ///   - state: what was heard before; what is known afterwards.
    /// - Returns: for each chunk the probability that it is speech, 0 to 1.
    func probabilities(of chunks: [Float], state: inout State) throws -> [Float] {
        let row = Self.contextSamples + Self.chunkSamples
        let count = chunks.count / row
        guard count > 0 else { return [] }
        let outputs = try model.run([Tensor(shape: [count, row], values: chunks), state.hidden, state.cell])
        guard outputs.count == 3, outputs[0].values.count == count, outputs[1].values.count == state.hidden.values.count,
            outputs[2].values.count == state.cell.values.count
        else { throw VoiceError(.badClassifier, "Silero's network gave no probability for each of \(count) chunks") }
        state.hidden = Tensor(shape: State.shape, values: outputs[1].values)
        state.cell = Tensor(shape: State.shape, values: outputs[2].values)
        return outputs[0].values
    }
}
