import Foundation
import Media
import Testing

/// Decodes from every segment on, given the packets from the lead-in before it, and compares.
func expectSameSoundFromEverySegment(_ track: TrackParameters, _ packets: [EncodedPacket]) throws {
    let packets = packets.filter { $0.track == .audio }
    let whole = joined(try sound(track, packets))
    for segment in Set(packets.map(\.segment)).sorted() {
        let first = try #require(packets.firstIndex { $0.segment == segment })
        var leadIn = first, covered: Int64 = 0
        while leadIn > 0, covered < AudioDecoder.leadInNanoseconds {
            leadIn -= 1
            covered += packets[leadIn].durationNanoseconds
        }
        let resumed = joined(try sound(track, Array(packets[leadIn...]), startAtSegment: segment))
        let resumedStart = try #require(resumed.first).startSample
        // The first segment may begin with priming; all others begin where their first packet says.
        if segment > 0 { #expect(abs(Double(resumedStart) / 48e-6 - Double(packets[first].ptsNanoseconds)) < 1.1e6) }
        for block in resumed {
            let counterpart = try #require(whole.first { $0.startSample <= block.startSample && $0.endSample >= block.endSample })
            let offset = Int(block.startSample - counterpart.startSample)
            let isSame = block.samples == Array(counterpart.samples[offset..<offset + block.samples.count])
            #expect(isSame, "segment \(segment), samples from \(block.startSample)")
        }
        #expect(resumed.last?.endSample == whole.last?.endSample)
    }
}

func expectSameFramesFromEverySegment(_ track: TrackParameters, _ packets: [EncodedPacket]) throws {
    let packets = packets.filter { $0.track == .video }
    let whole = try frames(track, packets)
    for segment in Set(packets.map(\.segment)).sorted() where segment > 0 {
        let resumed = try frames(track, packets.filter { $0.segment >= segment }, startAtSegment: segment)
        #expect(!resumed.isEmpty)
        #expect(resumed == whole.filter { $0.segment >= segment })
    }
}

@Suite("Segments")
struct SegmentTests {
    static let sources = "-f lavfi -i testsrc2=size=192x144:rate=25:duration=20 -f lavfi -i anoisesrc=duration=20:amplitude=0.3:seed=7"
    static let stereo = "-filter_complex [1:a]aformat=channel_layouts=stereo[a] -map 0:v -map [a]"

    @Test(
        "Sound from a segment on is the same, bit for bit, whether or not decoding began there",
        arguments: [
            ("aac.mp4", "-c:a aac -ar 44100"), ("mp3.mp3", "-vn -c:a libmp3lame -b:a 64k -ar 44100"), ("opus.mkv", "-c:a libopus"),
            ("pcm.wav", "-vn -c:a pcm_s16le -ar 22050"), ("mp2.mpg", "-c:v mpeg2video -c:a mp2 -ar 44100"),
            ("vorbis.mkv", "-c:a libvorbis -ar 44100"), ("flac.mkv", "-c:a flac -ar 96000"),
        ])
    func sameSound(name: String, codec: String) throws {
        let folder = try ClipFolder()
        let stereo = codec.contains("-vn") ? "-map 1:a -ac 2" : Self.stereo
        let (description, packets) = try packets(try folder.make(name, "\(Self.sources) \(stereo) -c:v mpeg4 \(codec)"))
        let audio = try #require(description.audio)
        #expect(Set(packets.filter { $0.track == .audio }.map(\.segment)) == [0, 1, 2])
        try expectSameSoundFromEverySegment(audio, packets)
    }

    @Test(
        "Frames from a segment on are the same, whether or not decoding began there, with closed and open groups of pictures",
        arguments: [
            ("closed.mp4", "-c:v libx264 -preset veryfast -g 50 -bf 3"), ("open.mkv", "-c:v libx264 -preset veryfast -bf 3 -x264-params open-gop=1:keyint=50:min-keyint=50:scenecut=0"),
            ("open.mpg", "-c:v mpeg2video -g 15 -bf 2"), ("open.ts", "-c:v mpeg2video -g 15 -bf 2"),
            ("hevc.mp4", "-c:v libx265 -preset ultrafast -x265-params open-gop=1:keyint=50:min-keyint=50:scenecut=0:bframes=3:log-level=none"),
            ("vp9.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 50"), ("mpeg4.avi", "-c:v mpeg4 -bf 2 -g 50"),
            ("h264.avi", "-c:v libx264 -preset veryfast -g 50 -bf 3"),
        ])
    func sameFrames(name: String, codec: String) throws {
        let folder = try ClipFolder()
        let path = try folder.make(name, "\(Self.sources) -map 0:v \(codec) -pix_fmt yuv420p")
        let (description, packets) = try packets(path)
        let video = try #require(description.video)
        #expect(packets.contains { $0.segment >= 3 })
        try expectSameFramesFromEverySegment(video, packets)
        let whole = try frames(video, packets)
        #expect(whole.count == 500)
        #expect(zip(whole, whole.dropFirst()).allSatisfy { $0.segment <= $1.segment })
        #expect(try frames(video, packets, threadCount: 3) == whole)
    }

    @Test("Pictures shown before a segment's keyframe belong to the segment before")
    func leadingPictures() throws {
        let folder = try ClipFolder()
        let path = try folder.make("open.mpg", "\(Self.sources) -map 0:v -c:v mpeg2video -g 15 -bf 2")
        let (description, packets) = try packets(path)
        let leading = packets.filter(\.isLeading)
        #expect(!leading.isEmpty)
        let whole = try frames(try #require(description.video), packets)
        for packet in leading {
            let frame = try #require(whole.first { $0.packetIndex == packet.index })
            #expect(frame.segment + 1 == packet.segment)
        }
    }

    @Test("A segment starts at the first keyframe at least 4 s (video) or 8 s (audio) after the last")
    func cuts() {
        var video = Segmenter(.video), audio = Segmenter(.audio)
        var segments: [UInt32] = []
        for second in 0..<13 {
            segments.append(video.place(ptsNanoseconds: Int64(second) * 1_000_000_000, isKeyframe: second % 3 == 0, isHidden: false).segment)
        }
        #expect(segments == [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2])
        #expect((0..<18).map { audio.place(ptsNanoseconds: $0 * 1_000_000_000, isKeyframe: true, isHidden: false).segment }
            == [UInt32](repeating: 0, count: 8) + [UInt32](repeating: 1, count: 8) + [2, 2])
    }

    @Test("Seams between segments cannot be heard: resampled sound is the same as in one go")
    func seams() throws {
        let folder = try ClipFolder()
        let path = try folder.make("tone.wav", "-f lavfi -i sine=frequency=440:sample_rate=44100:duration=20 -c:a pcm_f32le")
        let (description, packets) = try packets(path)
        let blocks = joined(try sound(try #require(description.audio), packets))
        let tone = try #require(blocks.first)
        #expect(blocks.count == 1 && tone.startSample == 0 && tone.samples.count == 960_000)
        // lavfi's sine is 1/8 of full scale; away from the ends the resampled tone follows the formula at every sample.
        var largest = 0.0
        for i in 1000..<959_000 { largest = max(largest, abs(Double(tone.samples[i]) - sin(2 * .pi * 440 * Double(i) / 48_000) / 8)) }
        #expect(largest < 1e-3)
    }
}
