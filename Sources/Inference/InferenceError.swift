/// Why a model could not be loaded or run: which file, what is wrong, what to do.
public struct InferenceError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of failure. More may be added.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        public let description: String

        /// The file is not there or cannot be read.
        public static let notFound = Code(description: "notFound")
        /// The file is no ONNX or TFLite model, or a damaged one.
        public static let notAModel = Code(description: "notAModel")
        /// The model is sound, but uses something that is not supported here.
        public static let unsupported = Code(description: "unsupported")
        /// A tensor, a model's input or a model's output has not the shape it should have.
        public static let wrongShape = Code(description: "wrongShape")
        /// The weights are not those that the card describes.
        public static let wrongHash = Code(description: "wrongHash")
        /// `model.json` is not a valid card.
        public static let invalidCard = Code(description: "invalidCard")
        /// The network failed while running.
        public static let failed = Code(description: "failed")
    }

    public let code: Code
    /// The file or folder concerned.
    public let path: String
    /// What is wrong with it and, where it is not plain, what to do.
    public let detail: String

    public init(_ code: Code, path: String, detail: String) {
        self.code = code
        self.path = path
        self.detail = detail
    }

    public var description: String { "\(path): \(detail)" }
}
