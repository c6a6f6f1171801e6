import COpenVINO
import Glibc

/// A folder that keeps compiled models, so that the next start takes a quarter of the time.
///
/// A model from the cache gives the same bits as one compiled anew (tested). Its name in the folder is made of all that
/// the compilation depends on: the model's bytes, the settings, the processor, the version of OpenVINO. So it never
/// goes stale, and the folder may be deleted at any time. Several processes may share it. A folder that cannot be
/// written, and a file that is damaged, only cost the compilation.
public struct CompilationCache: Sendable {
    public let folder: String

    public init(folder: String) {
        self.folder = folder
    }

    /// `adreact/compiled` in the user's cache folder (`XDG_CACHE_HOME`, or `.cache` in `HOME`); nil if there is none.
    public static var user: CompilationCache? {
        func variable(_ name: String) -> String? {
            getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
        }
        guard let caches = variable("XDG_CACHE_HOME") ?? variable("HOME").map({ $0 + "/.cache" }) else { return nil }
        return CompilationCache(folder: caches + "/adreact/compiled")
    }

    /// The compiled model of this name, or nil if it is not there or damaged.
    func load(_ name: String) -> [UInt8]? {
        guard let file = try? ReadOnlyFile(path(name)), var content = try? file.readToEnd(),
            content.count > SHA256.byteCount
        else { return nil }
        let digest = Array(content.suffix(SHA256.byteCount))
        content.removeLast(SHA256.byteCount)
        return SHA256.digest(of: content) == digest ? content : nil
    }

    /// Keeps a compiled model, which `write` writes to a file; keeps nothing if that fails.
    func store(_ name: String, write: (_ path: String) -> Bool) {
        makeFolder()
        // Written under a name of its own and then renamed, so that nobody ever reads half of it.
        let unfinished = path("\(name).\(getpid()).\(UInt32.random(in: 0...UInt32.max))")
        guard write(unfinished), appendDigest(to: unfinished), rename(unfinished, path(name)) == 0 else {
            unlink(unfinished)
            return
        }
    }

    private func path(_ name: String) -> String { folder + "/" + name }

    private func makeFolder() {
        var path = folder.hasPrefix("/") ? "" : "."
        for part in folder.split(separator: "/") {
            path += "/" + part
            mkdir(path, 0o755)
        }
    }

    private func appendDigest(to path: String) -> Bool {
        guard let file = try? ReadOnlyFile(path), let content = try? file.readToEnd(), !content.isEmpty else {
            return false
        }
        let digest = SHA256.digest(of: content)
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        let isWritten = write(descriptor, digest, digest.count) == digest.count
        return close(descriptor) == 0 && isWritten
    }
}

extension OpenVINO {
    /// Compiles a model's file, or takes it from the cache.
    func compile(
        with core: borrowing OpenVINOObject, settings: CompilationSettings, cache: CompilationCache?
    ) throws(InferenceError) -> OpenVINOObject {
        guard let cache else { return try compile(with: core, settings: settings) }
        let name = try cacheName(settings)
        if let content = cache.load(name), let compiled = importModel(content, with: core) {
            return compiled
        }
        let compiled = try compile(with: core, settings: settings)
        let pointer = compiled.pointer
        cache.store(name) { ov_compiled_model_export_model(pointer, $0) == OK }
        return compiled
    }

    private func importModel(_ content: [UInt8], with core: borrowing OpenVINOObject) -> OpenVINOObject? {
        // The model does not copy its weights out of this.
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: content.count, alignment: 64)
        memory.copyBytes(from: content)
        let corePointer = core.pointer
        let start = memory.bindMemory(to: CChar.self).baseAddress
        guard
            var compiled = try? object(
                .unsupported, "take the model from the cache", ov_compiled_model_free,
                { ov_core_import_model(corePointer, start, memory.count, "CPU", $0) })
        else {
            memory.deallocate()
            return nil
        }
        compiled.memory = memory
        return compiled
    }

    /// Names what the compilation depends on.
    private func cacheName(_ settings: CompilationSettings) throws(InferenceError) -> String {
        var version = ov_version_t()
        try check(ov_get_openvino_version(&version), .unsupported, "tell OpenVINO's version")
        defer { ov_version_free(&version) }
        let dependencies = [
            try SHA256.hexadecimalDigest(ofFilesAt: ModelFormat.files(of: path)),
            settings.description,
            version.buildNumber.map { String(cString: $0) } ?? "",
            try Self.processor(),
        ]
        return SHA256.hexadecimal(SHA256.digest(of: Array(dependencies.joined(separator: "\n").utf8)))
    }

    /// The processor's name and what it can do.
    static func processor() throws(InferenceError) -> String {
        let file = try ReadOnlyFile("/proc/cpuinfo")
        let start = String(decoding: try file.read(upTo: 8192), as: UTF8.self)
        let lines = start.split(separator: "\n")
        return ["model name", "flags"].map { key in lines.first { $0.hasPrefix(key) }.map(String.init) ?? "" }
            .joined(separator: "\n")
    }
}
