import Foundation
import Media
import Testing

/// Clips made by the `ffmpeg` command for one test, and gone with it.
final class ClipFolder {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("media-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func path(_ name: String) -> String { url.appendingPathComponent(name).path }

    /// Runs `ffmpeg ARGUMENTS NAME` and returns the path of what it made.
    func make(_ name: String, _ arguments: String) throws -> String {
        let output = path(name)
        let words = arguments.split(separator: " ").map(String.init)
        _ = try Command.run("ffmpeg", ["-hide_banner", "-loglevel", "error", "-nostdin", "-y"] + words + ["-bitexact", output])
        return output
    }

    func write(_ name: String, _ bytes: some Sequence<UInt8>) throws -> String {
        try Data(bytes).write(to: url.appendingPathComponent(name))
        return path(name)
    }
}

enum Command {
    struct Failure: Error {
        let command: String
        let standardError: String
    }

    /// Standard output of a command found in PATH.
    static func run(_ command: String, _ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [command] + arguments
        let output = Pipe()
        let errors = FileManager.default.temporaryDirectory.appendingPathComponent("errors-\(UUID().uuidString)")
        try Data().write(to: errors)
        defer { try? FileManager.default.removeItem(at: errors) }
        process.standardOutput = output
        process.standardError = try FileHandle(forWritingTo: errors)
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(
                command: ([command] + arguments).joined(separator: " "),
                standardError: String(decoding: (try? Data(contentsOf: errors)) ?? Data(), as: UTF8.self))
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Real clips, which lie beside the checkout where tests are run on them.
enum SharedClips {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("shared/clips")

    static let names: [String] = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [])
        .filter { !$0.hasSuffix(".md") }.sorted()

    static var arePresent: Bool { !names.isEmpty }

    static func path(_ name: String) -> String { folder.appendingPathComponent(name).path }
}

/// What ffprobe says of a recording.
struct ProbedFrame {
    let seconds: Double
    let durationSeconds: Double
}

func probedVideoFrames(_ path: String) throws -> [ProbedFrame] {
    try Command.run(
        "ffprobe",
        ["-v", "quiet", "-select_streams", "v:0", "-show_entries", "frame=best_effort_timestamp_time,pkt_duration_time", "-of", "csv=p=0", path]
    ).split(separator: "\n").compactMap { line in
        let fields = line.split(separator: ",", omittingEmptySubsequences: false)
        guard let first = fields.first, let seconds = Double(first) else { return nil }
        return ProbedFrame(seconds: seconds, durationSeconds: fields.count > 1 ? Double(fields[1]) ?? 0 : 0)
    }
}

/// All packets of a recording.
func packets(_ path: String) throws -> (description: SourceDescription, packets: [EncodedPacket]) {
    let demultiplexer = try Demultiplexer(input: path)
    var packets: [EncodedPacket] = []
    while let packet = try demultiplexer.next() { packets.append(packet) }
    return (demultiplexer.description, packets)
}

/// All frames of a recording's video packets.
func frames(_ track: TrackParameters, _ packets: [EncodedPacket], threadCount: Int = 1, startAtSegment: UInt32 = 0) throws -> [FrameDigest] {
    let decoder = try VideoDecoder(track, threadCount: threadCount, startAtSegment: startAtSegment)
    var frames: [FrameDigest] = []
    for packet in packets where packet.track == .video { frames += try decoder.decode(packet).map(FrameDigest.init) }
    return try frames + decoder.finish().map(FrameDigest.init)
}

/// A frame by its times and pixels, without holding on to it.
struct FrameDigest: Equatable {
    let ptsNanoseconds: Int64
    let durationNanoseconds: Int64
    let segment: UInt32
    let packetIndex: UInt64
    let pixels: RGBImage

    init(_ frame: VideoFrame) throws {
        ptsNanoseconds = frame.ptsNanoseconds
        durationNanoseconds = frame.durationNanoseconds
        segment = frame.segment
        packetIndex = frame.packetIndex
        pixels = try frame.crop(RotatedRectangle(covering: frame), outputWidth: 32, outputHeight: 24)
    }
}

/// All sound of a recording's audio packets, as one stretch with silence in the gaps.
func sound(_ track: TrackParameters, _ packets: [EncodedPacket], startAtSegment: UInt32 = 0) throws -> [AudioBlock] {
    let decoder = try AudioDecoder(track, startAtSegment: startAtSegment)
    var blocks: [AudioBlock] = []
    for packet in packets where packet.track == .audio { blocks += try decoder.decode(packet) }
    return blocks + decoder.finish()
}

/// Neighbouring blocks as one.
func joined(_ blocks: [AudioBlock]) -> [AudioBlock] {
    blocks.reduce(into: []) { joined, block in
        if let last = joined.indices.last, joined[last].endSample == block.startSample {
            joined[last].samples += block.samples
        } else {
            joined.append(block)
        }
    }
}
