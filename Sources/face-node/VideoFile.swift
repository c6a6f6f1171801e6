import Media

/// A video, read frame by frame.
enum VideoFile {
    /// - Parameters:
    ///   - decoded: Called each time that packets have been read and decoded, before their frames are handed out.
    ///   - body: Takes the frames in presentation order.
    /// - Throws: `MediaError` for a file that is missing, damaged, or without a picture (of one that was cut, or most of which cannot be
    ///   decoded, after all that there is of it); or what `body` throws.
    static func read(_ path: String, decoded: () -> Void = {}, _ body: (VideoFrame) throws -> Void) throws {
        let source = try Demultiplexer(input: path)
        guard let track = source.description.video else { throw MediaError(.notMedia, input: path, detail: "holds no video") }
        let decoder = try VideoDecoder(track, threadCount: 1)
        while let packet = try source.next() {
            guard packet.track == .video else { continue }
            let frames = try decoder.decode(packet)
            decoded()
            for frame in frames where frame.ptsNanoseconds >= 0 { try body(frame) }
        }
        let frames = try decoder.finish()
        decoded()
        for frame in frames where frame.ptsNanoseconds >= 0 { try body(frame) }
        if let truncation = source.truncation { throw truncation }
        if let problem = decoder.tally.problem(of: .video) { throw MediaError(.corrupt, input: path, detail: problem) }
    }
}
