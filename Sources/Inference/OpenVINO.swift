import COpenVINO
import Glibc

/// The part of OpenVINO's C interface that is used here, for one model's file: status codes become `InferenceError`,
/// objects free themselves.
struct OpenVINO {
    let path: String

    /// Reads the model's file and compiles it.
    func compile(
        with core: borrowing OpenVINOObject, settings: CompilationSettings
    ) throws(InferenceError) -> OpenVINOObject {
        let corePointer = core.pointer
        let model = try object(.notAModel, "read the model", ov_model_free) {
            ov_core_read_model(corePointer, path, nil, $0)
        }
        if let inputShapes = settings.inputShapes {
            try reshape(model, to: inputShapes)
        }
        let modelPointer = model.pointer
        return try object(.unsupported, "compile the model", ov_compiled_model_free) {
            ov_core_compile_model_props(corePointer, modelPointer, "CPU", 0, nil, $0)
        }
    }

    /// Starts OpenVINO with the settings for one model: they hold for compilation and for what comes from the cache.
    func core(_ settings: CompilationSettings) throws(InferenceError) -> OpenVINOObject {
        let core = try object(.unsupported, "start OpenVINO", ov_core_free) { ov_core_create($0) }
        let strings = settings.properties.map { (key: strdup($0.key), value: strdup($0.value)) }
        defer { strings.forEach { free($0.key); free($0.value) } }
        let properties = strings.map { ov_property_t(key: $0.key, value: $0.value) }
        try check(
            ov_core_set_properties(core.pointer, "CPU", properties.count, properties), .unsupported,
            "set OpenVINO up for this processor")
        return core
    }

    /// Gives the named inputs new shapes, in which -1 stands for any size.
    func reshape(_ model: borrowing OpenVINOObject, to shapes: [String: [Int]]) throws(InferenceError) {
        // In one call: to change one input alone may contradict another.
        let names = shapes.keys.sorted()
        let namePointers = names.map { UnsafePointer<CChar>(strdup($0)) }
        var partialShapes: [ov_partial_shape_t] = []
        defer {
            namePointers.forEach { free(UnsafeMutablePointer(mutating: $0)) }
            for index in partialShapes.indices { ov_partial_shape_free(&partialShapes[index]) }
        }
        for name in names {
            let dimensions = (shapes[name] ?? []).map { ov_dimension_t(min: Int64($0), max: Int64($0)) }
            var partialShape = ov_partial_shape_t()
            try check(
                ov_partial_shape_create(Int64(dimensions.count), dimensions, &partialShape), .wrongShape,
                "set the shape of input \"\(name)\"")
            partialShapes.append(partialShape)
        }
        var pointers = namePointers
        try check(
            ov_model_reshape(model.pointer, &pointers, partialShapes, names.count), .wrongShape,
            "give the inputs the shapes \(names.map { "\($0): \(shapes[$0] ?? [])" }.joined(separator: ", "))")
    }

    /// Describes the inputs or the outputs of a compiled model.
    func ports(
        of compiled: borrowing OpenVINOObject,
        count: (OpaquePointer?, UnsafeMutablePointer<Int>?) -> ov_status_e,
        at: (OpaquePointer?, Int, UnsafeMutablePointer<OpaquePointer?>?) -> ov_status_e
    ) throws(InferenceError) -> [TensorDescription] {
        let compiledPointer = compiled.pointer
        var portCount = 0
        try check(count(compiledPointer, &portCount), .unsupported, "count the inputs and outputs")
        var descriptions: [TensorDescription] = []
        for index in 0..<portCount {
            let port = try object(.unsupported, "look at the inputs and outputs", ov_output_const_port_free) {
                at(compiledPointer, index, $0)
            }
            descriptions.append(try describe(port))
        }
        return descriptions
    }

    private func describe(_ port: borrowing OpenVINOObject) throws(InferenceError) -> TensorDescription {
        var nameBytes: UnsafeMutablePointer<CChar>?
        try check(ov_port_get_any_name(port.pointer, &nameBytes), .unsupported, "name the inputs and outputs")
        defer { ov_free(nameBytes) }
        let name = nameBytes.map { String(cString: $0) } ?? ""

        var type = ov_element_type_e(0)
        try check(ov_port_get_element_type(port.pointer, &type), .unsupported, "get the type of \"\(name)\"")
        guard type == F32 else {
            throw InferenceError(
                .unsupported, path: path,
                detail: "\"\(name)\" does not hold 32-bit floats; export the model with float inputs and outputs")
        }

        var shape = ov_partial_shape_t()
        try check(ov_port_get_partial_shape(port.pointer, &shape), .unsupported, "get the shape of \"\(name)\"")
        defer { ov_partial_shape_free(&shape) }
        guard !ov_rank_is_dynamic(shape.rank) else { return TensorDescription(name: name, shape: nil) }
        let dimensions = UnsafeBufferPointer(start: shape.dims, count: Int(shape.rank.max))
        return TensorDescription(name: name, shape: dimensions.map { ov_dimension_is_dynamic($0) ? -1 : Int($0.max) })
    }

    /// Copies a tensor into the request's own memory. Its shape and number of values have been checked.
    func write(_ tensor: Tensor, toInput index: Int, of request: borrowing OpenVINOObject) throws(InferenceError) {
        let requestPointer = request.pointer
        let input = try object(.failed, "get an input", ov_tensor_free) {
            ov_infer_request_get_input_tensor_by_index(requestPointer, index, $0)
        }
        if try shape(of: input) != tensor.shape {
            var newShape = ov_shape_t()
            try check(
                ov_shape_create(Int64(tensor.shape.count), tensor.shape.map(Int64.init), &newShape), .wrongShape,
                "make the shape \(tensor.shape)")
            defer { ov_shape_free(&newShape) }
            try check(
                ov_tensor_set_shape(input.pointer, newShape), .wrongShape, "give an input the shape \(tensor.shape)")
        }
        guard !tensor.values.isEmpty else { return }
        let bytes = try memory(of: input)
        tensor.values.withUnsafeBytes { bytes.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    }

    /// Copies an output out of the request's own memory.
    func output(_ index: Int, of request: borrowing OpenVINOObject) throws(InferenceError) -> Tensor {
        let requestPointer = request.pointer
        let output = try object(.failed, "get an output", ov_tensor_free) {
            ov_infer_request_get_output_tensor_by_index(requestPointer, index, $0)
        }
        let shape = try shape(of: output)
        let count = Tensor.valueCount(of: shape) ?? 0
        guard count > 0 else { return Tensor(shape: shape, values: []) }
        let floats = try memory(of: output).assumingMemoryBound(to: Float.self)
        return Tensor(shape: shape, values: Array(UnsafeBufferPointer(start: floats, count: count)))
    }

    private func memory(of tensor: borrowing OpenVINOObject) throws(InferenceError) -> UnsafeMutableRawPointer {
        var address: UnsafeMutableRawPointer?
        try check(ov_tensor_data(tensor.pointer, &address), .failed, "reach a tensor's memory")
        guard let address else {
            throw InferenceError(.failed, path: path, detail: "OpenVINO gave a tensor without memory")
        }
        return address
    }

    private func shape(of tensor: borrowing OpenVINOObject) throws(InferenceError) -> [Int] {
        var shape = ov_shape_t()
        try check(ov_tensor_get_shape(tensor.pointer, &shape), .failed, "get a tensor's shape")
        defer { ov_shape_free(&shape) }
        return UnsafeBufferPointer(start: shape.dims, count: Int(shape.rank)).map(Int.init)
    }

    /// Makes an object with one of OpenVINO's functions and owns what it gives.
    func object(
        _ code: InferenceError.Code, _ action: String, _ free: @escaping OpenVINOObject.Free,
        _ create: (UnsafeMutablePointer<OpaquePointer?>) -> ov_status_e
    ) throws(InferenceError) -> OpenVINOObject {
        var pointer: OpaquePointer?
        try check(create(&pointer), code, action)
        guard let pointer else {
            throw InferenceError(code, path: path, detail: "cannot \(action): OpenVINO gave nothing")
        }
        return OpenVINOObject(pointer: pointer, free: free)
    }

    /// Turns a status into an error that says what could not be done.
    func check(_ status: ov_status_e, _ code: InferenceError.Code, _ action: String) throws(InferenceError) {
        guard status != OK else { return }
        let message = ov_get_last_err_msg()
        defer { ov_free(message) }
        let reason = Self.reason(in: message.map { String(cString: $0) } ?? "")
        let status = ov_get_error_info(status).map { String(cString: $0) } ?? "status \(status.rawValue)"
        throw InferenceError(code, path: path, detail: "cannot \(action): \(reason.isEmpty ? status : reason)")
    }

    /// The part of OpenVINO's message that tells something, on one line: without the places in its source.
    static func reason(in message: String) -> String {
        message.split(whereSeparator: \.isNewline)
            .filter { line in !["Exception from ", "Check '", "FrontEnd API failed"].contains { line.hasPrefix($0) } }
            .map { $0.drop(while: \.isWhitespace) }
            .filter { !$0.isEmpty }
            .joined(separator: "; ")
    }
}

/// How a model is compiled. Its description tells all of it.
struct CompilationSettings: CustomStringConvertible {
    var threadCount: Int
    /// `f32`, `bf16`, or `int8`.
    var precision: Precision
    var inputShapes: [String: [Int]]?

    var properties: [(key: String, value: String)] {
        [
            ("NUM_STREAMS", "1"),
            ("INFERENCE_NUM_THREADS", String(max(1, threadCount))),
            // A quantised network says itself which of its layers compute in 8 bits; this is for the others.
            ("INFERENCE_PRECISION_HINT", precision == .int8 ? Precision.f32.rawValue : precision.rawValue),
            // Every process would pin its thread to the same first core.
            ("ENABLE_CPU_PINNING", "NO"),
        ]
    }

    var description: String {
        let shapes = (inputShapes ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
        return (properties.map { "\($0.key)=\($0.value)" } + shapes).joined(separator: "\n")
    }
}

/// One of OpenVINO's objects, freed with its last use.
struct OpenVINOObject: ~Copyable {
    typealias Free = @convention(c) (OpaquePointer?) -> Void

    let pointer: OpaquePointer
    let free: Free
    /// Memory that the object reads as long as it lives.
    var memory: UnsafeMutableRawBufferPointer?

    init(pointer: OpaquePointer, free: @escaping Free) {
        self.pointer = pointer
        self.free = free
    }

    deinit {
        free(pointer)
        memory?.deallocate()
    }
}
