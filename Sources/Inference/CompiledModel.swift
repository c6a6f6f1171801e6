import COpenVINO
import Synchronization

/// A network compiled for this machine's CPU: numbers in, numbers out.
///
/// It computes in 32-bit floats unless told otherwise, in one stream of `threadCount` threads, so equal inputs give equal
/// bits: from run to run, whatever the batch, and whatever the number of threads (tested). Weights may be stored in 16 bits.
///
/// ```swift
/// let model = try CompiledModel(modelAt: "face_landmark.tflite")
/// let outputs = try model.run([Tensor(shape: [1, 192, 192, 3], values: pixels)])
/// ```
///
/// Any thread may call it. Calls made at the same time wait for one another: for more speed use a larger batch, more
/// threads, or a second `CompiledModel`.
public final class CompiledModel: Sendable {
    /// The file that was loaded, for messages.
    public let path: String
    /// What it computes in: `f32`, `bf16`, or `int8` of a quantised network.
    public let precision: Precision
    /// What `run` takes, in this order. A dimension of -1 takes any size.
    public let inputs: [TensorDescription]
    /// What `run` gives, in this order. A dimension of -1 follows from the inputs.
    public let outputs: [TensorDescription]

    private let request: Mutex<OpenVINOObject>

    /// Reads an ONNX, TFLite or OpenVINO file and compiles it. This takes 0.1 to 1 s, and a quarter of that
    /// from the cache.
    ///
    /// - Parameters:
    ///   - path: The model's file: `.onnx`, `.tflite`, or `.xml` with its weights in the `.bin` of the same name.
    ///   - threadCount: How many threads one run may use.
    ///   - precision: What numbers to compute in; `int8` is for files that hold a quantised network.
    ///   - inputShapes: New shapes for the inputs named, to fix a dimension that the file leaves open (or to open one
    ///     with -1). A fixed shape runs faster.
    ///   - cache: Where the compiled model is kept for the next time; nil: nowhere.
    /// - Throws: `InferenceError` with code `.notFound`, `.notAModel`, `.wrongShape` or `.unsupported`.
    public init(
        modelAt path: String, threadCount: Int = 1, precision: Precision = .f32, inputShapes: [String: [Int]]? = nil,
        cache: CompilationCache? = .user
    ) throws(InferenceError) {
        try ModelFormat.check(path)
        let openVINO = OpenVINO(path: path)
        let settings = CompilationSettings(
            threadCount: threadCount, precision: try openVINO.resolve(precision, hasQuantised: precision == .int8), inputShapes: inputShapes)
        let core = try openVINO.core(settings)
        var compiled = try openVINO.compile(with: core, settings: settings, cache: cache)
        let compiledPointer = compiled.pointer
        var request = try openVINO.object(.unsupported, "prepare the model", ov_infer_request_free) {
            ov_compiled_model_create_infer_request(compiledPointer, $0)
        }
        self.path = path
        self.precision = settings.precision
        self.inputs = try openVINO.ports(
            of: compiled, count: ov_compiled_model_inputs_size, at: ov_compiled_model_input_by_index)
        self.outputs = try openVINO.ports(
            of: compiled, count: ov_compiled_model_outputs_size, at: ov_compiled_model_output_by_index)
        // The request is what stays of the compiled model.
        swap(&request.memory, &compiled.memory)
        self.request = Mutex(request)
    }

    /// Runs the network once.
    ///
    /// - Parameter tensors: One tensor for each of `inputs`, in that order.
    /// - Returns: One tensor for each of `outputs`, in that order.
    /// - Throws: `InferenceError` with code `.wrongShape` if a tensor does not fit its input, `.failed` if the network
    ///   cannot be run on it.
    public func run(_ tensors: [Tensor]) throws(InferenceError) -> [Tensor] {
        try check(tensors)
        let openVINO = OpenVINO(path: path)
        return try request.withLock { (request) throws(InferenceError) -> [Tensor] in
            for (index, tensor) in tensors.enumerated() {
                try openVINO.write(tensor, toInput: index, of: request)
            }
            try openVINO.check(ov_infer_request_infer(request.pointer), .failed, "run the model")
            var results: [Tensor] = []
            results.reserveCapacity(outputs.count)
            for index in outputs.indices {
                results.append(try openVINO.output(index, of: request))
            }
            return results
        }
    }

    private func check(_ tensors: [Tensor]) throws(InferenceError) {
        guard tensors.count == inputs.count else {
            throw InferenceError(
                .wrongShape, path: path, detail: "the model takes \(inputs.count) tensors, not \(tensors.count)")
        }
        for (tensor, input) in zip(tensors, inputs) {
            guard input.accepts(tensor.shape) else {
                throw InferenceError(
                    .wrongShape, path: path,
                    detail: "input \"\(input.name)\" has the shape \(input.shape ?? []), not \(tensor.shape)")
            }
            guard tensor.values.count == Tensor.valueCount(of: tensor.shape) else {
                throw InferenceError(
                    .wrongShape, path: path,
                    detail: "input \"\(input.name)\" of the shape \(tensor.shape) got \(tensor.values.count) values")
            }
        }
    }
}
