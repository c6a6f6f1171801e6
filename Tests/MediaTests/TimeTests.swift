import Foundation
import Media
import Testing

@Suite("Times")
struct TimeTests {
    static let video = "-f lavfi -i testsrc2=size=128x96:rate=25:duration=4"

    private func decodedFrames(_ path: String) throws -> [FrameDigest] {
        let (description, packets) = try packets(path)
        return try frames(try #require(description.video), packets)
    }

    private func decodedSound(_ path: String) throws -> [AudioBlock] {
        let (description, packets) = try packets(path)
        return joined(try sound(try #require(description.audio), packets))
    }

    @Test(
        "Frames come in the order and at the times of presentation, with B-frames, in any container",
        arguments: ["a.mp4", "a.mkv", "a.ts", "a.avi", "a.flv", "a.mov"])
    func bFrames(name: String) throws {
        let folder = try ClipFolder()
        let decoded = try decodedFrames(try folder.make(name, "\(Self.video) -c:v libx264 -preset medium -bf 3 -b_strategy 0 -pix_fmt yuv420p"))
        try #require(decoded.count == 100)
        for (i, frame) in decoded.enumerated() {
            // Matroska and FLV round to milliseconds.
            #expect(abs(frame.ptsNanoseconds - Int64(i) * 40_000_000) <= 1_000_000)
            #expect(abs(frame.durationNanoseconds - 40_000_000) <= 2_000_000)
        }
    }

    @Test("Frames of H.264 without a container come in order at the stated rate")
    func elementaryStream() throws {
        let folder = try ClipFolder()
        let decoded = try decodedFrames(try folder.make("a.h264", "\(Self.video) -c:v libx264 -preset medium -bf 3 -pix_fmt yuv420p"))
        try #require(decoded.count == 100)
        let reference = try decodedFrames(try folder.make("a.mp4", "\(Self.video) -c:v libx264 -preset medium -bf 3 -pix_fmt yuv420p"))
        #expect(decoded.map(\.pixels) == reference.map(\.pixels))
        #expect(zip(decoded, decoded.dropFirst()).allSatisfy { $1.ptsNanoseconds - $0.ptsNanoseconds == 40_000_000 })
    }

    @Test("A variable frame rate is kept: no time is computed from a nominal rate")
    func variableFrameRate() throws {
        let folder = try ClipFolder()
        let path = try folder.make("vfr.mp4", "\(Self.video) -vf select='not(mod(n,7))+not(mod(n,5))' -fps_mode vfr -c:v libx264 -pix_fmt yuv420p")
        var expected: [Int64] = []
        for i in 0..<100 where i % 7 == 0 || i % 5 == 0 { expected.append(Int64(i) * 40_000_000) }
        let decoded = try decodedFrames(path)
        #expect(decoded.map(\.ptsNanoseconds) == expected)
        #expect(zip(decoded, expected.dropFirst()).allSatisfy { $0.ptsNanoseconds + $0.durationNanoseconds == $1 })
    }

    @Test("Time 0 is where the earliest track starts; the other keeps its distance", arguments: ["a.mp4", "a.mkv", "a.ts"])
    func lateAudio(name: String) throws {
        let folder = try ClipFolder()
        let path = try folder.make(
            name, "\(Self.video) -itsoffset 1.5 -f lavfi -i sine=frequency=300:sample_rate=48000:duration=4 -c:v mpeg4 -c:a mp2 -b:a 128k")
        let frames = try decodedFrames(path), sound = try decodedSound(path)
        #expect(frames.first?.ptsNanoseconds == 0)
        #expect(sound.count == 1)
        // MP2's own delay of 481 samples is in the times that the encoder states.
        let start = Double(try #require(sound.first).startSample) / 48_000
        #expect(abs(start - 1.5) < 0.012, "\(start)")
        #expect(abs(Double(try #require(sound.last).endSample) / 48_000 - 5.5) < 0.05)
    }

    @Test("Sound longer than the picture is there to its end")
    func longerAudio() throws {
        let folder = try ClipFolder()
        let path = try folder.make("a.mp4", "\(Self.video) -f lavfi -i sine=sample_rate=44100:duration=7 -c:v mpeg4 -c:a aac")
        #expect(abs(Double(try #require(try decodedSound(path).last).endSample) / 48_000 - 7) < 0.03)
        #expect(try decodedFrames(path).count == 100)
    }

    @Test(
        "An impulse is found at its own sample: priming is cut, and 44.1 kHz brought to 48 kHz without a shift",
        arguments: [
            ("a.mp4", "aac", 44_100), ("a.mp4", "aac", 48_000), ("a.mkv", "libopus", 48_000), ("a.ogg", "libopus", 48_000), ("a.mp4", "libopus", 48_000), ("a.mp3", "libmp3lame", 44_100),
            ("a.mp4", "libmp3lame", 44_100), ("a.wav", "pcm_s16le", 44_100), ("a.wav", "pcm_u8", 8_000), ("a.flac", "flac", 96_000),
        ])
    func impulse(name: String, codec: String, rateHz: Int) throws {
        let folder = try ClipFolder()
        // A short tone burst, whose energy has its centre at 1.0005 s.
        let path = try folder.make(
            name, "-f lavfi -i aevalsrc=if(between(t\\,1\\,1.001)\\,0.8*sin(6283*(t-1))\\,0):s=\(rateHz):d=2 -c:a \(codec) -b:a 128k")
        let block = try #require(try decodedSound(path).first)
        #expect(block.startSample == 0)
        let energy = block.samples.map { Double($0) * Double($0) }
        let centre = zip(energy.indices, energy).reduce(0.0) { $0 + Double($1.0) * $1.1 } / energy.reduce(0, +) / 48_000
        #expect(abs(centre - 1.0005) < 0.001, "\(centre)")
    }

    @Test("Matroska's millisecond times leave no gaps in the sound")
    func millisecondJitter() throws {
        let folder = try ClipFolder()
        let path = try folder.make("a.mkv", "-f lavfi -i sine=frequency=300:sample_rate=44100:duration=20 -c:a libmp3lame")
        let (_, packets) = try packets(path)
        for (packet, next) in zip(packets, packets.dropFirst()) {
            #expect(abs(packet.ptsNanoseconds + packet.durationNanoseconds - next.ptsNanoseconds) <= 1)
        }
        #expect(try decodedSound(path).count == 1)
    }

    @Test("All channels count: the mean of left and right")
    func downMix() throws {
        let folder = try ClipFolder()
        let path = try folder.make("a.wav", "-f lavfi -i aevalsrc=0.5|0.1|-0.3:s=48000:d=1 -c:a pcm_f32le")
        let block = try #require(try decodedSound(path).first)
        #expect(block.samples.count == 48_000)
        #expect(block.samples.allSatisfy { abs($0 - 0.1) < 1e-6 })
    }

    @Test("A track most of which cannot be decoded is told; single damaged packets are not", arguments: [TrackKind.audio, .video])
    func undecodableTrack(kind: TrackKind) throws {
        let folder = try ClipFolder()
        let path = try folder.make("a.mkv", "-f lavfi -i testsrc2=size=64x64:rate=25:duration=2 -f lavfi -i sine=duration=2 -c:v libx264 -g 10 -c:a flac")
        let (description, all) = try packets(path)
        func problem(damaging isDamaged: (UInt64) -> Bool) throws -> String? {
            let video = try VideoDecoder(try #require(description.video)), audio = try AudioDecoder(try #require(description.audio))
            for var packet in all where packet.track == kind {
                if isDamaged(packet.index) { packet.payload = [UInt8](repeating: 0, count: packet.payload.count) }
                if kind == .video { _ = try video.decode(packet) } else { _ = try audio.decode(packet) }
            }
            if kind == .video { _ = try video.finish() } else { _ = audio.finish() }
            return (kind == .video ? video.tally : audio.tally).problem(of: kind)
        }
        #expect(try problem { _ in false } == nil)
        #expect(try problem { $0 % 10 == 9 } == nil)
        #expect(try problem { _ in true }?.contains("packets of \(kind.rawValue) cannot be decoded") == true)
    }

    @Test("A damaged packet is counted and leaves the rest as it was")
    func damagedPacket() throws {
        let folder = try ClipFolder()
        let (description, packets) = try packets(try folder.make("a.flac", "-f lavfi -i anoisesrc=duration=3:seed=2:sample_rate=48000"))
        let audio = try #require(description.audio)
        let decoder = try AudioDecoder(audio)
        var blocks: [AudioBlock] = []
        for var packet in packets {
            if packet.index == 10 { packet.payload = [UInt8](repeating: 0x55, count: 100) }
            blocks += try decoder.decode(packet)
        }
        blocks = joined(blocks + decoder.finish())
        let whole = try #require(joined(try sound(audio, packets)).first)
        #expect(decoder.decodeErrorCount > 0)
        try #require(blocks.count == 2)
        for block in blocks {
            #expect(block.samples == Array(whole.samples[Int(block.startSample)..<Int(block.endSample)]))
        }
    }
}

@Suite("Media timeline")
struct MediaTimelineTests {
    private typealias Times = MediaTimeline.StatedTimes
    private let second: Int64 = 1_000_000_000

    private func timeline(jumps: Bool = false) -> MediaTimeline {
        MediaTimeline(startNanoseconds: 5_000_000_000, timesMayJump: jumps, audioSampleRateHz: 1000, hasVideo: true)
    }

    private func audio(_ timeline: inout MediaTimeline, _ pts: Int64?, samples: Int = 100) -> Int64? {
        timeline.place(.audio, Times(pts: pts, dts: nil, durationNanoseconds: 0, sampleCount: samples))?.pts
    }

    private func video(_ timeline: inout MediaTimeline, _ dts: Int64?, pts: Int64? = nil) -> Int64? {
        timeline.place(.video, Times(pts: pts ?? dts, dts: dts, durationNanoseconds: 40_000_000))?.pts
    }

    @Test("Jitter up to 20 ms is smoothed, more is a gap, and what overlaps is dropped")
    func jitter() {
        var timeline = timeline()
        #expect(audio(&timeline, 5 * second) == 0)
        #expect(audio(&timeline, 5 * second + 119_000_000) == 100_000_000)
        #expect(audio(&timeline, 5 * second + 181_000_000) == 200_000_000)
        #expect(audio(&timeline, 5 * second + 400_000_000) == 400_000_000)
        #expect(audio(&timeline, 5 * second + 450_000_000) == nil)
        #expect(audio(&timeline, 5 * second + 500_000_000) == 500_000_000)
        #expect(audio(&timeline, nil) == 600_000_000)
    }

    @Test("A splice moves both tracks together")
    func splice() {
        var timeline = timeline(jumps: true)
        _ = audio(&timeline, 5 * second, samples: 1000)
        _ = video(&timeline, 5 * second)
        #expect(video(&timeline, 95_000 * second) == 40_000_000)
        // The sound jumps to a place 0.96 s after the picture's, as it was before.
        #expect(audio(&timeline, 95_000 * second + 960_000_000, samples: 1000) == second)
        #expect(audio(&timeline, 95_000 * second + 1_960_000_000) == 2 * second)
        #expect(video(&timeline, 95_000 * second + 40_000_000) == 80_000_000)
    }

    @Test("A clock that wraps goes on")
    func wrap() {
        var timeline = timeline(jumps: true)
        _ = video(&timeline, 5 * second)
        #expect(video(&timeline, -90_000 * second) == 40_000_000)
    }

    @Test("Times beyond reason do not carry the timeline away")
    func absurdTimes() {
        var timeline = timeline()
        #expect(video(&timeline, .max) == 0)
        #expect(video(&timeline, .min) == 40_000_000)
        #expect(video(&timeline, 5 * second, pts: 4_000_000 * second).map { $0 < 11 * second } == true)
        #expect(audio(&timeline, 400_000 * second) == 0)
        for _ in 0..<100 { #expect(audio(&timeline, Int64.random(in: .min ... .max)).map { $0 < 700 * second } != false) }
    }

    @Test("A long still picture in a recording is no splice")
    func stillPicture() {
        var timeline = timeline()
        _ = video(&timeline, 5 * second)
        #expect(video(&timeline, 305 * second) == 300 * second)
    }
}
