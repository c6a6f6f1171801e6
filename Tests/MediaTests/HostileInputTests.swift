import Foundation
import Media
import Testing

@Suite("Inputs that are not what they seem")
struct HostileInputTests {
    private func failure(_ input: String) -> MediaError? {
        do throws(MediaError) {
            let demultiplexer = try Demultiplexer(input: input)
            while try demultiplexer.next() != nil {}
            return nil
        } catch { return error }
    }

    @Test("Each says which input, and what is wrong")
    func errors() throws {
        let folder = try ClipFolder()
        let text = String(repeating: "This is a text, not a film.\n", count: 400)
        let art = String(repeating: "\u{1B}[31mHello\u{1B}[0m\r\n", count: 400)
        let subtitles = "1\n00:00:01,000 --> 00:00:04,000\nHello\n\n2\n00:00:05,000 --> 00:00:08,000\nHello\n\n"
        let cases: [(String, MediaError.Code)] = [
            (folder.path("missing.mp4"), .notFound), (folder.url.path, .isDirectory),
            (try folder.write("empty.mp4", []), .empty), (try folder.write("text.mp4", text.utf8), .notMedia),
            (try folder.write("art.ans", art.utf8), .notMedia), (try folder.write("words.srt", subtitles.utf8), .notMedia),
            (try folder.write("zeros.mp4", [UInt8](repeating: 0, count: 100_000)), .notMedia),
            ("/dev/zero", .notMedia), ("/dev/video91", .deviceUnavailable), ("gopher://host/film", .unsupportedProtocol),
            (try folder.make("picture.png", "-f lavfi -i testsrc2=duration=1 -frames:v 1"), .notMedia),
            (try folder.make("picture.jpg", "-f lavfi -i testsrc2=duration=1 -frames:v 1"), .notMedia),
        ]
        for (input, code) in cases {
            let error = try #require(failure(input))
            #expect(error.code == code, "\(error)")
            #expect(error.input == input)
        }
    }

    @Test("A packet of sound that claims to last for months")
    func absurdDuration() throws {
        func element(_ id: [UInt8], _ content: [UInt8]) -> [UInt8] {
            id + [0x10 | UInt8(content.count >> 24 & 15), UInt8(content.count >> 16 & 255), UInt8(content.count >> 8 & 255), UInt8(content.count & 255)] + content
        }
        func number(_ value: UInt64) -> [UInt8] { withUnsafeBytes(of: value.bigEndian, Array.init) }
        let head = element([0x1A, 0x45, 0xDF, 0xA3], element([0x42, 0x82], Array("matroska".utf8)))
        let sound = element([0xB5], number((2e9).bitPattern)) + element([0x9F], [1]) + element([0x62, 0x64], [16])
        let track = element([0xD7], [1]) + element([0x73, 0xC5], [1]) + element([0x83], [2]) + element([0x86], Array("A_PCM/INT/LIT".utf8)) + element([0xE1], sound)
        let blocks = (0..<40).flatMap { index in
            element([0xA0], element([0xA1], [0x81, 0, UInt8(index), 0] + [UInt8](repeating: 7, count: 600)) + element([0x9B], number(5_000_000_000_000)))
        }
        let file = head + element([0x18, 0x53, 0x80, 0x67], element([0x16, 0x54, 0xAE, 0x6B], element([0xAE], track))
            + element([0x1F, 0x43, 0xB6, 0x75], element([0xE7], [0]) + blocks))
        let folder = try ClipFolder()
        let demultiplexer = try Demultiplexer(input: try folder.write("months.mkv", file))
        var count = 0
        while try demultiplexer.next() != nil { count += 1 }
        #expect(count > 0)
    }

    @Test("Random bytes, whatever their name", arguments: ["mp4", "mp3", "ts", "h264", "mkv", "avi", "bin"])
    func randomBytes(ending: String) throws {
        let folder = try ClipFolder()
        for seed in 1...4 {
            var random = SeededBytes(seed: UInt64(seed))
            let input = try folder.write("random.\(ending)", (0..<(200_000 * seed)).map { _ in random.next() })
            #expect(failure(input)?.code == .notMedia)
        }
    }

    @Test("A list of other files is not followed")
    func playlists() throws {
        let folder = try ClipFolder()
        let film = try folder.make("film.ts", "-f lavfi -i testsrc2=duration=2:size=64x64 -c:v mpeg2video")
        let list = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfilm.ts\n#EXT-X-ENDLIST\n"
        let description = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
        for (name, text) in [("list.m3u8", list), ("list.mp4", list), ("list.ffconcat", "ffconcat version 1.0\nfile film.ts\n"), ("a.sdp", description)] {
            #expect(failure(try folder.write(name, text.utf8))?.code == .notMedia)
        }
        #expect(failure(film) == nil)
        #expect(failure("concat:\(film)|\(film)")?.code == .notFound)
    }

    @Test("A file cut at half gives what is readable, or says that its index is missing")
    func cutAtHalf() throws {
        let folder = try ClipFolder()
        let source = "-f lavfi -i testsrc2=size=320x240:rate=25:duration=10 -f lavfi -i anoisesrc=duration=10:seed=3 -c:v mpeg4 -g 25"
        for (name, options) in [("fast.mp4", "-c:a aac -movflags +faststart"), ("film.mkv", "-c:a aac"), ("film.ts", "-c:a mp2"), ("film.avi", "-c:a mp2"), ("film.mpg", "-c:v mpeg2video -c:a mp2")] {
            let whole = try folder.make(name, "\(source) \(options)")
            let half = try folder.write("half-\(name)", try Data(contentsOf: URL(fileURLWithPath: whole)).halved)
            let demultiplexer = try Demultiplexer(input: half)
            var end: Int64 = 0
            while let packet = try demultiplexer.next() { end = max(end, packet.ptsNanoseconds) }
            #expect((3_000_000_000...7_500_000_000).contains(end), "\(name): \(end)")
            if name.hasPrefix("fast") || name.hasSuffix("mkv") { #expect(demultiplexer.truncation?.code == .corrupt) }
        }
        let slow = try folder.make("slow.mp4", "\(source) -c:a aac")
        let error = try #require(failure(try folder.write("half-slow.mp4", try Data(contentsOf: URL(fileURLWithPath: slow)).halved)))
        #expect(error.code == .corrupt)
        #expect(error.detail.contains("moov"))
    }

    @Test("Cover art is not a film")
    func coverArt() throws {
        let folder = try ClipFolder()
        let cover = try folder.make("cover.jpg", "-f lavfi -i testsrc2=duration=1:size=64x64 -frames:v 1")
        let song = try folder.make(
            "song.mp3", "-f lavfi -i anoisesrc=duration=3 -i \(cover) -map 0 -map 1 -c:a libmp3lame -c:v copy -disposition:v attached_pic")
        let description = try Demultiplexer(input: song).description
        #expect(description.video == nil)
        #expect(description.audio?.codecName == "mp3")
    }

    @Test("A pipe that nobody writes to can be given up")
    func silentPipe() async throws {
        let folder = try ClipFolder()
        let pipe = folder.path("pipe")
        try #require(mkfifo(pipe, 0o600) == 0)
        // Held open for writing, so that the reader waits instead of seeing the end.
        let writer = open(pipe, O_RDWR | O_CLOEXEC)
        try #require(writer >= 0)
        defer { close(writer) }
        let interruption = Interruption()
        let reading = Task.detached { () -> MediaError.Code? in
            do throws(MediaError) {
                _ = try Demultiplexer(input: pipe, interruption: interruption)
                return nil
            } catch { return error.code }
        }
        interruption.interrupt()
        #expect(await reading.value == .interrupted)
    }

    @Test("Bytes from a pipe give the same packets as from the file")
    func pipe() throws {
        let folder = try ClipFolder()
        let film = try folder.make("film.mkv", "-f lavfi -i testsrc2=duration=6:size=128x96 -c:v mpeg4 -g 25")
        let pipe = folder.path("pipe")
        try #require(mkfifo(pipe, 0o600) == 0)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: film))
        // Holds the pipe open until the writer has it. A thread of its own: the reader blocks the one that it is on.
        let holder = open(pipe, O_RDWR | O_CLOEXEC)
        try #require(holder >= 0)
        Thread {
            let writer = open(pipe, O_WRONLY | O_CLOEXEC)
            close(holder)
            bytes.withUnsafeBytes { buffer in
                var rest = buffer[...]
                while !rest.isEmpty {
                    let count = write(writer, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                    guard count > 0 else { break }
                    rest = rest.dropFirst(count)
                }
            }
            close(writer)
        }.start()
        #expect(try packets(pipe).packets == packets(film).packets)
    }

    @Test("Damaged recordings never hang, crash or run away", arguments: 1...6)
    func flippedBytes(seed: Int) throws {
        let folder = try ClipFolder()
        var random = SeededBytes(seed: UInt64(seed))
        let source = "-f lavfi -i testsrc2=size=96x80:rate=25:duration=3 -f lavfi -i anoisesrc=duration=3:seed=3 -g 25"
        let films = try [
            ("a.mp4", "-c:v libx264 -preset veryfast -c:a aac"), ("a.mkv", "-c:v libx264 -preset veryfast -c:a libopus"),
            ("a.ts", "-c:v libx264 -preset veryfast -c:a aac"), ("a.mpg", "-c:v mpeg2video -bf 2 -c:a mp2"),
            ("a.avi", "-c:v mpeg4 -c:a libmp3lame"), ("a.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus"),
            ("a.flv", "-c:v libx264 -preset veryfast -c:a aac"), ("a.wav", "-vn"),
        ].map { try folder.make($0.0, "\(source) \($0.1)") }
        for film in films {
            let original = [UInt8](try Data(contentsOf: URL(fileURLWithPath: film)))
            for flips in [1, 20, 400] {
                var bytes = original
                // The header is where damage hurts most: half of the flips go there.
                for flip in 0..<flips {
                    let place = random.nextInt(below: flip % 2 == 0 ? min(4096, bytes.count) : bytes.count)
                    bytes[place] = random.next()
                }
                let input = try folder.write("damaged-\(URL(fileURLWithPath: film).lastPathComponent)", bytes)
                try readAll(input)
            }
        }
    }

    /// Reads and decodes all, expecting bounded results or a typed error.
    private func readAll(_ input: String) throws {
        let demultiplexer: Demultiplexer
        do throws(MediaError) { demultiplexer = try Demultiplexer(input: input) } catch { return }
        let description = demultiplexer.description
        let audio = try? description.audio.map { try AudioDecoder($0) }, video = try? description.video.map { try VideoDecoder($0) }
        var packetCount = 0, lastFrame: Int64 = -1, lastSample: Int64 = 0, sampleCount = 0
        func check(_ blocks: [AudioBlock]) {
            for block in blocks {
                #expect(block.startSample >= lastSample && block.samples.allSatisfy(\.isFinite))
                lastSample = block.endSample
                sampleCount += block.samples.count
            }
        }
        func check(_ frames: [VideoFrame]) throws {
            for frame in frames {
                #expect(frame.ptsNanoseconds > lastFrame && frame.durationNanoseconds > 0 || frame.ptsNanoseconds > lastFrame)
                lastFrame = frame.ptsNanoseconds
                _ = try frame.crop(RotatedRectangle(covering: frame), outputWidth: 8, outputHeight: 8)
            }
        }
        do throws(MediaError) {
            while let packet = try demultiplexer.next() {
                packetCount += 1
                switch packet.track {
                case .audio: if let audio = audio ?? nil { check(try audio.decode(packet)) }
                case .video: if let video = video ?? nil { do { try check(video.decode(packet)) } catch let error as MediaError { throw error } catch {} }
                }
            }
        } catch {
            #expect(!error.detail.isEmpty)
        }
        if let audio = audio ?? nil { check(audio.finish()) }
        if let video = video ?? nil { try check(video.finish()) }
        #expect(packetCount < 20_000)
        #expect(sampleCount < 48_000 * 300)
    }
}

extension Data {
    fileprivate var halved: Data { prefix(count / 2) }
}

/// A small fixed generator (xorshift64*), so that a failure can be repeated.
struct SeededBytes {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    private mutating func nextWord() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }

    mutating func next() -> UInt8 { UInt8(truncatingIfNeeded: nextWord() >> 56) }
    mutating func nextInt(below limit: Int) -> Int { Int(nextWord() % UInt64(limit)) }
}
