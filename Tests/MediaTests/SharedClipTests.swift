import Foundation
import Media
import Testing

@Suite("Real clips", .enabled(if: SharedClips.arePresent, "the folder ../shared/clips is absent"))
struct SharedClipTests {
    @Test("Frames come at the times that ffprobe states, one second picture for each", arguments: SharedClips.names)
    func frameTimes(name: String) throws {
        let path = SharedClips.path(name)
        let (description, packets) = try packets(path)
        let probed = try probedVideoFrames(path)
        guard let video = description.video else {
            #expect(probed.isEmpty)
            return
        }
        let decoded = try frames(video, packets, threadCount: 2)
        try #require(decoded.count == probed.count)
        let start = try probedStartSeconds(path)
        for (frame, expected) in zip(decoded, probed) {
            #expect(abs(Double(frame.ptsNanoseconds) / 1e9 - (expected.seconds - start)) < 2e-6)
        }
        for (frame, next) in zip(decoded, decoded.dropFirst()) {
            #expect(frame.ptsNanoseconds + frame.durationNanoseconds == next.ptsNanoseconds)
        }
    }

    @Test("There is as much sound as ffmpeg decodes, at its place", arguments: SharedClips.names)
    func amountOfSound(name: String) throws {
        let path = SharedClips.path(name)
        let (description, packets) = try packets(path)
        guard let audio = description.audio else { return }
        let blocks = try sound(audio, packets)
        let decoded = blocks.reduce(0) { $0 + $1.samples.count }
        let folder = try ClipFolder()
        let reference = try folder.make("reference.f32", "-i \(path) -vn -ac 1 -f f32le")
        let bytes = try #require(try FileManager.default.attributesOfItem(atPath: reference)[.size] as? Int)
        let expected = Double(bytes / 4) * 48_000 / Double(audio.sampleRateHz)
        // A packet more or less where the container's times overlap or leave gaps.
        #expect(abs(Double(decoded) - expected) <= 2048)
        for (block, next) in zip(blocks, blocks.dropFirst()) { #expect(block.endSample <= next.startSample) }
        #expect((blocks.first?.startSample ?? 0) >= 0)
    }

    @Test("Reading twice gives the same packets", arguments: SharedClips.names)
    func readingTwice(name: String) throws {
        let first = try packets(SharedClips.path(name)), second = try packets(SharedClips.path(name))
        #expect(first.packets == second.packets)
        #expect(first.description == second.description)
        for kind in TrackKind.allCases {
            let indices = first.packets.filter { $0.track == kind }.map(\.index)
            #expect(indices == Array(0..<UInt64(indices.count)))
        }
    }

    @Test("Decoding from any segment on gives the same frames and samples as decoding all", arguments: SharedClips.names)
    func anySegment(name: String) throws {
        let (description, packets) = try packets(SharedClips.path(name))
        if let audio = description.audio { try expectSameSoundFromEverySegment(audio, packets) }
        if let video = description.video { try expectSameFramesFromEverySegment(video, packets) }
    }

    @Test("The sound and the picture of a session start and end where they should")
    func viewerSession() throws {
        let (description, packets) = try packets(SharedClips.path("viewer-session.mp4"))
        let audio = try #require(description.audio), video = try #require(description.video)
        let blocks = try sound(audio, packets)
        #expect(blocks.first?.startSample == 0)
        #expect(abs(Double(try #require(blocks.last).endSample) / 48_000 - 46.744) < 0.03)
        let decoded = try frames(video, packets)
        #expect(decoded.count == 1402)
        #expect(description.durationNanoseconds == 46_745_000_000)
    }

    @Test("A track that starts late does so in media time")
    func lateStart() throws {
        let (description, packets) = try packets(SharedClips.path("face-then-none.mov"))
        let blocks = try sound(try #require(description.audio), packets)
        #expect(abs(Double(try #require(blocks.first).startSample) / 48_000 - 2.430023) < 1e-4)
        // The earliest track, here the sound, is time 0.
        let faces = try Media.Demultiplexer(input: SharedClips.path("many-faces-speech.mp4"))
        var firstVideo: EncodedPacket?
        while firstVideo == nil, let packet = try faces.next() { if packet.track == .video { firstVideo = packet } }
        #expect(abs(Double(try #require(firstVideo).ptsNanoseconds) / 1e9 - (0.852019 - 0.008005)) < 1e-5)
    }
}

/// Where the earliest track starts, as ffprobe says.
private func probedStartSeconds(_ path: String) throws -> Double {
    let starts = try Command.run("ffprobe", ["-v", "quiet", "-show_entries", "stream=start_time", "-of", "csv=p=0", path])
    return starts.split(separator: "\n").compactMap { Double($0.split(separator: ",").first ?? "") }.min() ?? 0
}
