import CFFmpeg

/// What is wrong with an input, in words for the person who gave it.
public struct MediaError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: String, Sendable {
        case notFound, permissionDenied, isDirectory, empty
        /// Not audio or video at all: text, a picture, random bytes.
        case notMedia
        /// Audio or video, but damaged beyond reading.
        case corrupt
        /// No decoder for it here.
        case unsupportedCodec
        case unsupportedProtocol
        case deviceUnavailable
        /// Reading failed: network, disk, no answer in time.
        case io
        /// Somebody came to where a source listens, and sent nothing that can be read. Listening again may help.
        case unreadableSender
        /// `Interruption.interrupt()` was called.
        case interrupted
        /// The caller asked for something impossible, such as a crop of no size.
        case invalidRequest
        case outOfMemory
    }

    public let code: Code
    /// The path, URL or name that it is about.
    public let input: String
    /// What is wrong, and what to do about it.
    public let detail: String

    public init(_ code: Code, input: String, detail: String) {
        self.code = code
        self.input = input
        self.detail = detail
    }

    public var description: String { "\(input): \(detail)" }
}

extension MediaError {
    /// FFmpeg's own words for one of its error codes.
    static func text(of ffmpegCode: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 128)
        av_strerror(ffmpegCode, &buffer, buffer.count)
        return buffer.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
    }

    static func outOfMemory(_ input: String) -> MediaError {
        MediaError(.outOfMemory, input: input, detail: "out of memory")
    }
}
