import CFFmpeg
import Foundation

/// Where an input is, which decides how it is opened and what it may reach.
enum SourcePlace {
    /// A file, a pipe, or standard input, which is read through our own descriptor: nothing that its content says can
    /// make FFmpeg open anything else.
    case local(path: String)
    case camera(path: String)
    case network(url: String)
    /// Waits at an address of ours for somebody who sends.
    case listener(url: String, port: Int)

    init(_ input: String) throws(MediaError) {
        if input.hasPrefix("/dev/video") {
            self = .camera(path: input)
        } else if let scheme = Self.scheme(of: input) {
            if scheme == "file" {
                guard let path = URL(string: input)?.path, !path.isEmpty else {
                    throw MediaError(.notFound, input: input, detail: "this file URL names no path")
                }
                self = .local(path: path)
            } else if Self.schemes.contains(scheme) {
                // FFmpeg knows schemes in lower case only.
                let url = scheme + input.dropFirst(scheme.count)
                self = Self.listens(scheme, url) ? try Self.listener(scheme, url) : .network(url: url)
            } else {
                throw MediaError(
                    .unsupportedProtocol, input: input,
                    detail: "\(scheme):// is not supported; use a path, -, or one of \(Self.schemes.sorted().joined(separator: ", "))")
            }
        } else {
            self = .local(path: input)
        }
    }

    private static let schemes: Set<String> = [
        "http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "rtmpt", "srt", "udp", "rtp", "tcp", "tls", "mmsh",
    ]

    /// Whether a URL asks to wait for a sender: `?listen`, or as SRT says it, `?mode=listener`. UDP knows nothing else.
    private static func listens(_ scheme: String, _ url: String) -> Bool {
        let query = url.split(separator: "?", maxSplits: 1).dropFirst().first?.split(separator: "&") ?? []
        return switch scheme {
        case "udp", "rtp": true
        case "srt": query.contains("mode=listener")
        case "tcp": query.contains { ["listen", "listen=1"].contains($0) }
        case "rtsp", "rtmp", "http": query.contains("listen")
        default: false
        }
    }

    private static func listener(_ scheme: String, _ input: String) throws(MediaError) -> SourcePlace {
        let parts = URLComponents(string: input)
        let port = parts?.port ?? defaultPorts[scheme] ?? 0
        let mayOmitAddress = ["srt", "udp", "rtp"].contains(scheme)  // as in udp://@:5000, the usual way to write it
        guard (1...65535).contains(port), mayOmitAddress || parts?.host?.isEmpty == false else {
            throw MediaError(
                .unsupportedProtocol, input: input, detail: "name the address and the port to listen at, as in \(scheme)://127.0.0.1:5000")
        }
        return .listener(url: input, port: port)
    }

    private static let defaultPorts = ["rtsp": 554, "rtmp": 1935, "http": 80]

    private static func scheme(of input: String) -> String? {
        guard let end = input.range(of: "://")?.lowerBound else { return nil }
        let scheme = input[..<end]
        guard let first = scheme.first, first.isLetter,
            scheme.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0)) })
        else { return nil }
        return scheme.lowercased()
    }

    var url: String {
        switch self {
        case .local: "local"  // a name only: the bytes come from our descriptor
        case .camera(let path): path
        case .network(let url): url
        case .listener(let url, _):
            // These take it as an option, and the rest of the address for a part of the stream's name.
            listenOption == nil ? url : String(url.prefix { $0 != "?" })
        }
    }

    /// What makes libavformat listen, where its URLs cannot say it.
    var listenOption: (key: String, value: String)? {
        guard case .listener(let url, _) = self else { return nil }
        return switch Self.scheme(of: url) {
        case "rtsp": ("rtsp_flags", "listen")
        case "rtmp", "http": ("listen", "1")
        default: nil
        }
    }

    /// What content may make FFmpeg open besides.
    var protocols: String {
        switch self {
        case .local: "none"
        case .camera: "file"
        case .network, .listener: "http,https,tcp,tls,udp,rtp,rtsp,rtmp,rtmps,rtmpt,rtmpte,srt,crypto,httpproxy,mmsh"
        }
    }

    /// Waiting has a limit. A pipe may be as slow as it likes.
    var canStall: Bool {
        if case .local = self { return false }
        return true
    }

    /// Senders come when they like: only a reconnection has a limit.
    func openTimeoutSeconds(_ options: DemultiplexerOptions) -> Double {
        switch self {
        case .local: 0
        case .camera, .network: options.openTimeoutSeconds
        case .listener: options.listenTimeoutSeconds ?? 0
        }
    }

    func isLive(durationIsKnown: Bool) -> Bool {
        switch self {
        case .local: false
        case .camera: true
        case .network: !durationIsKnown
        case .listener: true
        }
    }

    func openDescriptor(input: String, interruption: Interruption) throws(MediaError) -> DescriptorIO? {
        switch self {
        case .network, .listener: return nil
        case .camera(let path):
            guard access(path, F_OK) == 0 else {
                throw MediaError(.deviceUnavailable, input: input, detail: "there is no such camera; see ls /dev/video*")
            }
            return nil
        case .local("-"): return try DescriptorIO(descriptor: STDIN_FILENO, closes: false, input: input, interruption: interruption)
        case .local(let path):
            // Not blocking, so that a pipe without a writer can be given up.
            let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
            guard descriptor >= 0 else { throw Self.explain(errno, input: input) }
            var status = stat()
            guard fstat(descriptor, &status) == 0 else {
                let error = errno
                close(descriptor)
                throw Self.explain(error, input: input)
            }
            if let problem = Self.problem(with: status) {
                close(descriptor)
                throw MediaError(problem.code, input: input, detail: problem.detail)
            }
            return try DescriptorIO(descriptor: descriptor, closes: true, input: input, interruption: interruption)
        }
    }

    private static func problem(with status: stat) -> (code: MediaError.Code, detail: String)? {
        switch status.st_mode & S_IFMT {
        case S_IFREG: status.st_size == 0 ? (.empty, "the file is empty") : nil
        case S_IFDIR: (.isDirectory, "is a folder; give the files in it")
        case S_IFIFO: nil
        default: (.notMedia, "is a device or socket, not a recording")
        }
    }

    private static func explain(_ error: Int32, input: String) -> MediaError {
        switch error {
        case ENOENT, ENOTDIR: MediaError(.notFound, input: input, detail: "there is no such file")
        case EACCES, EPERM: MediaError(.permissionDenied, input: input, detail: "no permission to read it")
        case ENXIO: MediaError(.notMedia, input: input, detail: "is a device or socket, not a recording")
        default: MediaError(.io, input: input, detail: "cannot be opened: \(String(cString: strerror(error)))")
        }
    }
}

/// FFmpeg's reading from a descriptor of ours.
final class DescriptorIO {
    let context: UnsafeMutablePointer<AVIOContext>
    private let descriptor: Int32
    private let closes: Bool
    private let interruption: Interruption  // the C side points to it

    init(descriptor: Int32, closes: Bool, input: String, interruption: Interruption) throws(MediaError) {
        guard let context = adreact_descriptor_io_create(descriptor, interruption.handle) else {
            if closes { close(descriptor) }
            throw .outOfMemory(input)
        }
        self.context = context
        self.descriptor = descriptor
        self.closes = closes
        self.interruption = interruption
    }

    deinit {
        adreact_descriptor_io_free(context)
        if closes { close(descriptor) }
    }
}

/// What FFmpeg keeps for the whole process: it stays silent, and no single allocation exceeds half a gigabyte.
enum FFmpegSetup {
    static let once: Void = {
        adreact_configure_ffmpeg(512 << 20)
        avformat_network_init()
    }()
}
