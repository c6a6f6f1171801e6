import Foundation
import Media
import Testing

@Suite("Pictures")
struct PictureTests {
    private func firstFrame(_ path: String) throws -> VideoFrame {
        let demultiplexer = try Demultiplexer(input: path)
        let decoder = try VideoDecoder(try #require(demultiplexer.description.video))
        while let packet = try demultiplexer.next() {
            if packet.track == .video, let frame = try decoder.decode(packet).first { return frame }
        }
        return try #require(try decoder.finish().first)
    }

    private func pixel(_ image: RGBImage, _ x: Int, _ y: Int) -> [Int] {
        (0..<3).map { Int(image.pixels[(y * image.width + x) * 3 + $0]) }
    }

    private func whole(_ frame: some PictureSource) throws -> RGBImage {
        try frame.crop(RotatedRectangle(covering: frame), outputWidth: frame.width, outputHeight: frame.height)
    }

    /// A picture whose pixels are pseudo-random.
    private func noise(width: Int, height: Int, seed: UInt64) throws -> RGBImage {
        var random = SeededBytes(seed: seed)
        return try #require(RGBImage(width: width, height: height, pixels: (0..<width * height * 3).map { _ in random.next() }))
    }

    @Test(
        "Colours come out right in every pixel format",
        arguments: [
            "yuv420p", "nv12", "nv21", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p12le", "yuyv422", "uyvy422", "rgb24",
            "bgra", "gbrp", "gbrp10le", "rgb48le", "yuva420p", "yuv410p", "rgb565le", "yuv444p16be",
        ])
    func pixelFormats(format: String) throws {
        let folder = try ClipFolder()
        let path = try folder.make(
            "a.nut", "-f lavfi -i color=c=0xC86432:size=64x48:duration=0.1 -vf scale=flags=accurate_rnd+full_chroma_int,format=\(format) -c:v rawvideo")
        let colour = pixel(try whole(try firstFrame(path)), 30, 20)
        // The formats of few bits round to steps of eight.
        let tolerance = format == "rgb565le" ? 8 : 3
        #expect(zip(colour, [200, 100, 50]).allSatisfy { abs($0 - $1) <= tolerance }, "\(colour)")
    }

    @Test(
        "The stated colour matrix and range count, whether the stream or the container states them; unstated, the size tells",
        arguments: [
            ("bt709", "tv", "libx264 -qp 4", "64x48"), ("bt709", "pc", "libx264 -qp 4", "64x48"), ("smpte170m", "pc", "libx264 -qp 4", "64x48"),
            ("bt2020nc", "tv", "libx264 -qp 4", "64x48"), ("bt709", "tv", "ffv1", "64x48"), ("smpte170m", "pc", "ffv1", "64x48"),
            ("unknown", "tv", "libx264 -qp 4", "64x48"), ("unknown", "tv", "libx264 -qp 4", "1280x720"),
        ])
    func matrices(matrix: String, range: String, codec: String, size: String) throws {
        let folder = try ClipFolder()
        let filter = matrix == "bt2020nc" ? "bt2020" : matrix == "unknown" ? (size == "64x48" ? "smpte170m" : "bt709") : matrix
        let tag = matrix == "unknown" ? "" : "-colorspace \(matrix)"
        let path = try folder.make(
            "a.mkv", "-f lavfi -i color=c=0xC86432:size=\(size):duration=0.1 -vf scale=out_color_matrix=\(filter):out_range=\(range):flags=accurate_rnd+full_chroma_int,format=yuv444p \(tag) -color_range \(range) -c:v \(codec)")
        let colour = pixel(try whole(try firstFrame(path)), 30, 20)
        #expect(zip(colour, [200, 100, 50]).allSatisfy { abs($0 - $1) <= 3 }, "\(colour)")
    }

    @Test("Grey, palette and bilevel pictures can be read", arguments: [("gray", "0x808080", 128, 3), ("gray16be", "0x808080", 128, 3), ("pal8", "0x808080", 128, 12), ("monob", "0xFFFFFF", 255, 6)])
    func oddFormats(format: String, colour: String, grey: Int, tolerance: Int) throws {
        let folder = try ClipFolder()
        let path = try folder.make("a.mkv", "-f lavfi -i color=c=\(colour):size=64x48:duration=0.1 -vf format=\(format) -c:v png")
        let frame = try firstFrame(path)
        #expect(frame.width == 64)
        // The palette approximates grey by a pattern.
        let mean = try frame.crop(RotatedRectangle(covering: frame), outputWidth: 1, outputHeight: 1)
        let found = pixel(mean, 0, 0)
        #expect(found.allSatisfy { abs($0 - grey) <= tolerance }, "\(found)")
    }

    @Test("Shrinking averages: every pixel counts, with the weight of what is covered", arguments: [(64, 48), (37, 29), (10, 7), (3, 1)])
    func areaAveraging(width: Int, height: Int) throws {
        let picture = try noise(width: 64, height: 48, seed: 5)
        let small = try picture.crop(RotatedRectangle(covering: picture), outputWidth: width, outputHeight: height)
        let sx = 64 / Double(width), sy = 48 / Double(height)
        func covered(_ i: Int, _ from: Double, _ to: Double) -> Double { max(0, min(Double(i + 1), to) - max(Double(i), from)) }
        for row in 0..<height {
            for column in 0..<width {
                var expected = [0.0, 0, 0]
                for y in 0..<48 {
                    let wy = covered(y, Double(row) * sy, Double(row + 1) * sy)
                    for x in 0..<64 where wy > 0 {
                        let weight = wy * covered(x, Double(column) * sx, Double(column + 1) * sx)
                        for c in 0..<3 { expected[c] += weight * Double(picture.pixels[(y * 64 + x) * 3 + c]) / (sx * sy) }
                    }
                }
                let found = pixel(small, column, row)
                #expect((0..<3).allSatisfy { abs(Double(found[$0]) - expected[$0]) < 1.01 })
            }
        }
    }

    @Test("Growing interpolates between neighbours")
    func bilinear() throws {
        let picture = try #require(RGBImage(width: 2, height: 1, pixels: [0, 0, 0, 200, 100, 40]))
        let large = try picture.crop(RotatedRectangle(covering: picture), outputWidth: 8, outputHeight: 2)
        let reds = (0..<8).map { pixel(large, $0, 1)[0] }
        #expect(reds == [0, 0, 25, 75, 125, 175, 200, 200])
    }

    @Test("Outside the picture it is black, and at the edge by the share that lies outside")
    func blackOutside() throws {
        let picture = try #require(RGBImage(width: 4, height: 4, pixels: [UInt8](repeating: 200, count: 48)))
        let area = RotatedRectangle(centreX: 0, centreY: 2, width: 8, height: 4)
        let half = try picture.crop(area, outputWidth: 4, outputHeight: 2)
        #expect((0..<4).map { pixel(half, $0, 0)[0] } == [0, 0, 200, 200])
        let across = try picture.crop(RotatedRectangle(centreX: 0, centreY: 2, width: 12, height: 4), outputWidth: 3, outputHeight: 1)
        #expect((0..<3).map { pixel(across, $0, 0)[0] } == [0, 100, 100])
        let far = try picture.crop(RotatedRectangle(centreX: 900, centreY: -900, width: 8, height: 8, angleRadians: 0.3), outputWidth: 4, outputHeight: 4)
        #expect(far.pixels.allSatisfy { $0 == 0 })
    }

    @Test("A turned area is read along its own axes", arguments: [0.3, 1.2, -2.0, Double.pi / 2, Double.pi])
    func turned(angle: Double) throws {
        // A plane of colour: red grows to the right, green downwards, so every value says where it was read.
        var pixels: [UInt8] = []
        for y in 0..<120 { for x in 0..<160 { pixels += [UInt8(x), UInt8(y), 7] } }
        let picture = try #require(RGBImage(width: 160, height: 120, pixels: pixels))
        for (size, output) in [(40.0, 20), (40.0, 60), (70.0, 14)] {
            let area = RotatedRectangle(centreX: 80, centreY: 60, width: size, height: size, angleRadians: angle)
            let crop = try picture.crop(area, outputWidth: output, outputHeight: output)
            for (column, row) in [(0, 0), (output - 1, 0), (0, output - 1), (output / 2, output / 3)] {
                let u = ((Double(column) + 0.5) / Double(output) - 0.5) * size, v = ((Double(row) + 0.5) / Double(output) - 0.5) * size
                let x = 80 + u * cos(angle) - v * sin(angle), y = 60 + u * sin(angle) + v * cos(angle)
                let found = pixel(crop, column, row)
                #expect(abs(Double(found[0]) - (x - 0.5)) < 1.1 && abs(Double(found[1]) - (y - 0.5)) < 1.1, "\(found) at \(x), \(y)")
            }
        }
    }

    @Test("Pixels that are not square are made so", arguments: [(0, "scale=128:96"), (90, "scale=96:128")])
    func anamorphic(degrees: Int, scaled: String) throws {
        let folder = try ClipFolder()
        let plain = try folder.make(
            "plain.mp4", "-f lavfi -i testsrc2=size=96x96:duration=0.2 -vf eq=saturation=0.3,setsar=4/3 -c:v libx264 -qp 4 -pix_fmt yuv444p")
        let path = try folder.make("turned.mp4", "-i \(plain) -c copy -metadata:s:v:0 rotate=\(degrees)")
        let reference = try RGBImage(contentsOf: try folder.make("reference.png", "-i \(path) -frames:v 1 -vf \(scaled):flags=bilinear"))
        let frame = try firstFrame(path)
        #expect((frame.width, frame.height) == (reference.width, reference.height))
        let upright = try whole(frame)
        let difference = zip(upright.pixels, reference.pixels).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
        #expect(Double(difference) / Double(upright.pixels.count) < 4)
        let corner: [(x: Double, y: Double)] = [(8, 0), (48, 0), (48, 60), (8, 60)]
        let mean = try frame.meanColour(over: [corner]), expected = try reference.meanColour(over: [corner])
        #expect(abs(mean.red - expected.red) < 4 && abs(mean.green - expected.green) < 4 && abs(mean.blue - expected.blue) < 4)
    }

    @Test("A picture that was filmed sideways is upright", arguments: [0, 90, 180, 270])
    func rotation(degrees: Int) throws {
        let folder = try ClipFolder()
        let plain = try folder.make("plain.mp4", "-f lavfi -i testsrc2=size=128x96:duration=0.2 -vf eq=saturation=0.3 -c:v libx264 -qp 4 -pix_fmt yuv444p")
        let path = try folder.make("turned.mp4", "-i \(plain) -c copy -metadata:s:v:0 rotate=\(degrees)")
        // ffmpeg turns pictures upright by itself.
        let reference = try RGBImage(contentsOf: try folder.make("reference.png", "-i \(path) -frames:v 1"))
        let frame = try firstFrame(path)
        #expect((frame.width, frame.height) == (reference.width, reference.height))
        let upright = try whole(frame)
        let difference = zip(upright.pixels, reference.pixels).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
        #expect(Double(difference) / Double(upright.pixels.count) < 3)
        // Polygons are upright, too.
        let corner: [(x: Double, y: Double)] = [(0, 0), (20, 0), (20, 30), (0, 30)]
        let mean = try frame.meanColour(over: [corner]), expected = try reference.meanColour(over: [corner])
        #expect(mean.pixelCount == 600 && expected.pixelCount == 600)
        #expect(abs(mean.red - expected.red) < 4 && abs(mean.green - expected.green) < 4 && abs(mean.blue - expected.blue) < 4)
    }

    @Test("Crops of frames equal crops of the same frame as RGB, upright and turned")
    func cropsOfFrames() throws {
        let folder = try ClipFolder()
        let frame = try firstFrame(try folder.make("a.mp4", "-f lavfi -i mandelbrot=size=320x240 -t 0.1 -c:v libx264 -qp 10 -pix_fmt yuv420p"))
        let image = try whole(frame)
        for angle in [0, 0.4] {
            for output in [24, 100, 300] {
                let area = RotatedRectangle(centreX: 150.3, centreY: 110.8, width: 120, height: 120, angleRadians: angle)
                let direct = try frame.crop(area, outputWidth: output, outputHeight: output)
                let viaRGB = try image.crop(area, outputWidth: output, outputHeight: output)
                let difference = zip(direct.pixels, viaRGB.pixels).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
                #expect(Double(difference) / Double(direct.pixels.count) < 4)
            }
        }
    }

    @Test("The mean colour is that of the pixels inside, holes and concave outlines respected")
    func meanColour() throws {
        let picture = try noise(width: 60, height: 50, seed: 9)
        // An L, and in it a hole.
        let outline: [(x: Double, y: Double)] = [(5, 5), (25, 5), (25, 30), (50, 30), (50, 45), (5, 45)]
        let hole: [(x: Double, y: Double)] = [(8, 32), (8, 40), (20, 40), (20, 32)]
        var sums = [0.0, 0, 0], count = 0
        for y in 0..<50 {
            for x in 0..<60 {
                let inL = (5..<25).contains(x) && (5..<45).contains(y) || (25..<50).contains(x) && (30..<45).contains(y)
                guard inL, !((8..<20).contains(x) && (32..<40).contains(y)) else { continue }
                for c in 0..<3 { sums[c] += Double(picture.pixels[(y * 60 + x) * 3 + c]) }
                count += 1
            }
        }
        let mean = try picture.meanColour(over: [outline, hole])
        #expect(mean.pixelCount == count)
        #expect(abs(mean.red - sums[0] / Double(count)) < 1e-4)
        #expect(abs(mean.green - sums[1] / Double(count)) < 1e-4)
        #expect(abs(mean.blue - sums[2] / Double(count)) < 1e-4)
        #expect(try picture.meanColour(over: []).pixelCount == 0)
        #expect(try picture.meanColour(over: [[(-100, -100), (-50, -100), (-70, -50)]]).pixelCount == 0)
    }

    @Test("The mean colour of a frame is that of its pixels, each of the two that share a chroma sample")
    func meanColourOfFrames() throws {
        let folder = try ClipFolder()
        // Left half skin-coloured, right half blue.
        let frame = try firstFrame(
            try folder.make("a.mp4", "-f lavfi -i color=c=0xC89078:size=64x96:duration=0.1 -f lavfi -i color=c=0x2040C0:size=64x96:duration=0.1 -filter_complex hstack -c:v libx264 -qp 1 -pix_fmt yuv420p"))
        let all: [(x: Double, y: Double)] = [(10, 10), (110, 10), (110, 80), (10, 80)]
        let skin = try frame.meanColour(over: [[(10, 10), (60, 10), (60, 80), (10, 80)]])
        #expect(abs(skin.red - 200) < 3 && abs(skin.green - 144) < 3 && abs(skin.blue - 120) < 3 && skin.pixelCount == 3500)
        // A row of pixels from any column: with half of a chroma sample at either end, at both, or at none.
        func row(_ columns: Range<Int>) throws -> MeanColour {
            let (left, right) = (Double(60 + columns.lowerBound), Double(60 + columns.upperBound))
            return try frame.meanColour(over: [[(left, 20), (right, 20), (right, 21), (left, 21)]])
        }
        let blue = try (0..<8).map { try row($0..<$0 + 1).blue }
        for from in 0..<4 {
            for to in from + 1...8 {
                let mean = try row(from..<to)
                let expected = blue[from..<to].reduce(0, +) / Double(to - from)
                #expect(mean.pixelCount == to - from && abs(mean.blue - expected) < 1e-3)
            }
        }
        let both = try frame.meanColour(over: [all])
        #expect(abs(both.red - (200 * 54 + 32 * 46) / 100.0) < 3)
    }

    @Test("Impossible requests are refused")
    func impossibleRequests() throws {
        let picture = try noise(width: 8, height: 8, seed: 1)
        let good = RotatedRectangle(covering: picture)
        for (width, height) in [(0, 4), (4, -1), (20_000, 4)] {
            #expect(throws: MediaError.self) { try picture.crop(good, outputWidth: width, outputHeight: height) }
        }
        for value in [Double.nan, .infinity, 1e300, 0, -3] {
            var area = good
            area.width = value
            #expect(throws: MediaError.self) { try picture.crop(area, outputWidth: 4, outputHeight: 4) }
        }
        #expect(throws: MediaError.self) { try picture.meanColour(over: [[(.nan, 0), (1, 1), (2, 0)]]) }
        #expect(RGBImage(width: 2, height: 2, pixels: [1, 2, 3]) == nil)
        #expect(RGBImage(width: 0, height: 0, pixels: []) == nil)
    }

    @Test("Picture files are read: JPEG, PNG, WebP", arguments: ["jpg", "png", "webp"])
    func pictureFiles(ending: String) throws {
        let folder = try ClipFolder()
        let path = try folder.make("a.\(ending)", "-f lavfi -i color=c=0xC86432:size=50x40 -frames:v 1")
        let image = try RGBImage(contentsOf: path)
        #expect((image.width, image.height) == (50, 40))
        #expect(zip(pixel(image, 25, 20), [200, 100, 50]).allSatisfy { abs($0 - $1) <= 4 })
    }

    @Test("Files that are not pictures are refused")
    func notPictures() throws {
        let folder = try ClipFolder()
        func code(_ path: String) -> MediaError.Code? {
            do throws(MediaError) { _ = try RGBImage(contentsOf: path); return nil } catch { return error.code }
        }
        #expect(code(folder.path("none.jpg")) == .notFound)
        #expect(code(folder.url.path) == .isDirectory)
        #expect(code(try folder.write("text.jpg", "not a picture".utf8)) == .notMedia)
        let whole = try Data(contentsOf: URL(fileURLWithPath: try folder.make("a.png", "-f lavfi -i testsrc2=size=64x64 -frames:v 1")))
        #expect([.corrupt, .notMedia].contains(code(try folder.write("cut.png", whole.prefix(60)))))
    }
}
