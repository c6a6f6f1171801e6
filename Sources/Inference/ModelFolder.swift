import FoundationEssentials

/// A model on disk: `model.onnx`, the weights, `model.json`, the card that describes them, and for some the same network
/// quantised, `model.int8.xml` with `model.int8.bin`.
///
/// ```swift
/// let folder = try ModelFolder.load("Models/voice-audionet-ct")
/// let model = try folder.compile()
/// let settings = try folder.settings(VoiceSettings.self)
/// ```
public struct ModelFolder: Sendable {
    /// The folder, as it was given.
    public let path: String
    /// What `model.json` says.
    public let card: ModelCard
    /// Where `model.onnx` is.
    public let weightsPath: String

    private let cardJSON: Data

    private var cardPath: String { path + "/model.json" }
    private var quantisedPath: String { path + "/model.int8.xml" }

    /// Reads the card and makes sure that the weights are those that it describes.
    ///
    /// - Throws: `InferenceError` with code `.notFound`, `.invalidCard` or `.wrongHash`.
    public static func load(_ path: String) throws(InferenceError) -> ModelFolder {
        let folder = try ModelFolder(path)
        try folder.card.check(cardPath: folder.cardPath)
        try check(folder.weightsPath, sha256: folder.card.sha256)
        if let quantised = folder.card.int8 { try check(folder.quantisedPath, sha256: quantised.sha256) }
        return folder
    }

    private static func check(_ path: String, sha256: String) throws(InferenceError) {
        let digest = try SHA256.hexadecimalDigest(ofFilesAt: ModelFormat.files(of: path))
        guard digest == sha256.lowercased() else {
            throw InferenceError(
                .wrongHash, path: path,
                detail: "the weights are not those of model.json: sha256 is \(digest), not \(sha256); "
                    + "fetch the model again, or correct its card")
        }
    }

    private init(_ path: String) throws(InferenceError) {
        self.path = path
        weightsPath = path + "/model.onnx"
        let cardPath = path + "/model.json"
        let file = try ReadOnlyFile(cardPath)
        // A card is a page of text; a file of many megabytes is not one.
        cardJSON = Data(try file.read(upTo: 1 << 22))
        card = try Self.decode(ModelCard.self, from: cardJSON, cardPath: cardPath)
    }

    /// Compiles the weights, and makes sure that their first input and first output are as the card says: the shape,
    /// and one number for each label in the last dimension.
    ///
    /// - Parameters: as for `CompiledModel.init`.
    /// - Throws: `InferenceError` with the codes of `CompiledModel.init`.
    public func compile(
        threadCount: Int = 1, precision: Precision = .f32, inputShapes: [String: [Int]]? = nil, cache: CompilationCache? = .user
    ) throws(InferenceError) -> CompiledModel {
        let precision = try OpenVINO(path: weightsPath).resolve(precision, hasQuantised: card.int8 != nil)
        let weightsPath = precision == .int8 ? quantisedPath : weightsPath
        let model = try CompiledModel(
            modelAt: weightsPath, threadCount: threadCount, precision: precision, inputShapes: inputShapes, cache: cache)
        guard let input = model.inputs.first, input.isCompatible(with: card.input.shape) else {
            throw InferenceError(
                .wrongShape, path: weightsPath,
                detail: "the input has the shape \(model.inputs.first?.shape ?? []), "
                    + "but model.json says \(card.input.shape)")
        }
        guard let output = model.outputs.first, let size = output.shape?.last, size == -1 || size == card.labels.count
        else {
            throw InferenceError(
                .wrongShape, path: weightsPath,
                detail: "the output has the shape \(model.outputs.first?.shape ?? []), "
                    + "but model.json has \(card.labels.count) labels")
        }
        return model
    }

    /// The card's `settings` object: how the features that the model reads are made.
    ///
    /// - Throws: `InferenceError` with code `.invalidCard` that names the key that is missing or wrong.
    public func settings<Settings: Decodable>(_: Settings.Type) throws(InferenceError) -> Settings {
        try Self.decode(CardSettings<Settings>.self, from: cardJSON, cardPath: cardPath).settings
    }

    private static func decode<Value: Decodable>(
        _: Value.Type, from json: Data, cardPath: String
    ) throws(InferenceError) -> Value {
        do {
            return try JSONDecoder().decode(Value.self, from: json)
        } catch let error as DecodingError {
            throw InferenceError(.invalidCard, path: cardPath, detail: error.plainDescription)
        } catch {
            throw InferenceError(.invalidCard, path: cardPath, detail: "\(error)")
        }
    }
}

private struct CardSettings<Settings: Decodable>: Decodable {
    let settings: Settings
}

extension TensorDescription {
    /// Whether some tensor fits both this and `other`, where -1 stands for any size.
    func isCompatible(with other: [Int]) -> Bool {
        guard let shape else { return true }
        return shape.count == other.count && zip(shape, other).allSatisfy { $0 == $1 || $0 == -1 || $1 == -1 }
    }
}

extension DecodingError {
    /// What is wrong at which key, on one line.
    fileprivate var plainDescription: String {
        switch self {
        case .keyNotFound(let key, let context):
            "\"\((context.codingPath + [key]).joined)\" is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            "\"\(context.codingPath.joined)\": \(context.debugDescription)"
        case .dataCorrupted(let context):
            context.codingPath.isEmpty
                ? "this is not JSON" : "\"\(context.codingPath.joined)\": \(context.debugDescription)"
        @unknown default:
            "\(self)"
        }
    }
}

extension [any CodingKey] {
    fileprivate var joined: String { map(\.stringValue).joined(separator: ".") }
}
