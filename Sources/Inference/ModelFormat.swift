import Glibc

/// The kinds of file that are read as models, told by name and first bytes.
///
/// OpenVINO tries its readers one after the other on a file that none of them knows, each with complaints of its own on
/// standard error. So what is no model never reaches it.
enum ModelFormat {
    /// - Throws: `InferenceError` with code `.notFound` or `.notAModel`.
    static func check(_ path: String) throws(InferenceError) {
        let start = try firstBytes(of: path)
        let isModel =
            if path.hasSuffix(".onnx") {
                // Protocol Buffers: `ir_version`, the first field, as a varint.
                start.first == 0x08
            } else if path.hasSuffix(".tflite") {
                // FlatBuffers: the file's identifier follows the offset of its root.
                start.dropFirst(4).elementsEqual("TFL3".utf8)
            } else if path.hasSuffix(".xml") {
                // OpenVINO's own: the network, its weights in another file.
                try firstBytes(of: weights(ofXML: path)).isEmpty ? false : start.starts(with: "<?xml".utf8)
            } else {
                throw InferenceError(.notAModel, path: path, detail: "the file's name must end in .onnx, .tflite or .xml")
            }
        guard isModel else {
            throw InferenceError(
                .notAModel, path: path,
                detail: start.isEmpty ? "the file is empty" : "the file does not hold what its name says")
        }
    }

    /// All files of a model.
    static func files(of path: String) -> [String] { path.hasSuffix(".xml") ? [path, weights(ofXML: path)] : [path] }

    private static func weights(ofXML path: String) -> String { path.dropLast(".xml".count) + ".bin" }

    private static func firstBytes(of path: String) throws(InferenceError) -> [UInt8] {
        let file = try ReadOnlyFile(path)
        return try file.read(upTo: 8)
    }
}

/// A file that is read from its start to its end.
struct ReadOnlyFile: ~Copyable {
    private let path: String
    private let descriptor: CInt

    /// - Throws: `InferenceError` with code `.notFound`.
    init(_ path: String) throws(InferenceError) {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.failure(path) }
    }

    deinit { close(descriptor) }

    /// The next bytes; fewer than `count` only at the end of the file.
    func read(upTo count: Int) throws(InferenceError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress! + filled, count - filled) }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw Self.failure(path) }
            if got == 0 { break }
            filled += got
        }
        bytes.removeLast(count - filled)
        return bytes
    }

    /// The rest of the file.
    func readToEnd() throws(InferenceError) -> [UInt8] {
        var content: [UInt8] = []
        while true {
            let bytes = try read(upTo: 1 << 20)
            if bytes.isEmpty { return content }
            content += bytes
        }
    }

    private static func failure(_ path: String) -> InferenceError {
        InferenceError(.notFound, path: path, detail: "cannot read the file: \(String(cString: strerror(errno)))")
    }
}
