import Face
import Foundation
import Media
import Testing

/// A face that wanders about, filmed at a rate that varies and slows down: frame n is shown at n(40 + n/10) ms, every second
/// one 15 ms later. Blocks in the upper left corner say n, least bit first, white for 1.
private final class WanderingFaceClip {
    static let frameCount = 240
    static let bitCount = 8
    static let blockPixels = 16
    let path: String
    private let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("face-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        path = folder.appendingPathComponent("wandering.mp4").path
        let size = Self.blockPixels
        let bits = (0..<Self.bitCount).map { bit in
            "drawbox=x=\(bit * size):y=0:w=\(size):h=\(size):color=white:t=fill:enable='mod(floor(n/\(1 << bit)),2)'"
        }
        let filters =
            ["crop=w=240:h=216:x='40+30*sin(2*PI*n/50)':y=24", "drawbox=x=0:y=0:w=\(Self.bitCount * size):h=\(size):color=black:t=fill"]
            + bits + ["settb=1/1000", "setpts='N*(40+N/10)+15*mod(N,2)'"]
        let ffmpeg = Process()
        ffmpeg.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        ffmpeg.arguments =
            ["ffmpeg", "-loglevel", "error", "-nostdin", "-loop", "1", "-framerate", "25", "-i", Fixtures.path("face-320x240.png")]
            + ["-vf", filters.joined(separator: ","), "-frames:v", "\(Self.frameCount)", "-fps_mode", "passthrough"]
            + ["-enc_time_base", "1/1000", "-c:v", "libx264", "-preset", "ultrafast", "-crf", "20", "-g", "50", "-pix_fmt", "yuv420p"]
            + ["-video_track_timescale", "1000", path]
        try ffmpeg.run()
        ffmpeg.waitUntilExit()
        try #require(ffmpeg.terminationStatus == 0)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    /// When frame n is shown, in seconds after frame 0.
    static func seconds(_ n: Int) -> Double { (Double(n) * (40 + Double(n) / 10) + 15 * Double(n % 2)) / 1000 }

    /// How far right of its place in the original picture the face is in frame n, in pixels.
    static func shift(_ n: Int) -> Double { -(40 + 30 * sin(2 * .pi * Double(n) / 50)) }

    /// The number that the picture carries.
    static func number(in frame: VideoFrame) throws -> Int {
        try (0..<bitCount).reduce(0) { number, bit in
            let block = RotatedRectangle(
                centreX: (Double(bit) + 0.5) * Double(blockPixels), centreY: Double(blockPixels) / 2, width: 8, height: 8)
            let pixel = try frame.crop(block, outputWidth: 1, outputHeight: 1)
            return number + (pixel.pixels[1] > 127 ? 1 << bit : 0)
        }
    }
}

@Suite("Face times are media times")
struct MediaTimeTests {
    @Test("At a varying rate, each frame has the time that its picture carries, and the face the place that it has then, to the end")
    func doesNotDrift() throws {
        let clip = try WanderingFaceClip()
        let finder = try FaceFinder(modelsPath: Fixtures.detectors)
        var segment: UInt32?
        var numbers: [Int] = []
        var placesLookedAt: [(number: Int, x: Double)] = []
        try Fixtures.forEachFrame(at: clip.path) { frame in
            if frame.segment != segment { finder.reset() }
            segment = frame.segment
            let number = try WanderingFaceClip.number(in: frame)
            numbers.append(number)
            #expect(close(Double(frame.ptsNanoseconds) / 1e9, WanderingFaceClip.seconds(number), within: 0.0011))
            let face = try #require(try finder.find(in: frame).face)
            if finder.lastLook?.ptsNanoseconds == frame.ptsNanoseconds { placesLookedAt.append((number, face.box.centreX)) }
        }
        #expect(numbers == Array(0..<WanderingFaceClip.frameCount))
        // Every second or third frame is looked at. In one frame the face moves by up to 3.8 pixels.
        #expect(placesLookedAt.count > WanderingFaceClip.frameCount / 4)
        let offsets = placesLookedAt.map { $0.x - WanderingFaceClip.shift($0.number) }
        let usual = offsets.sorted()[offsets.count / 2]
        #expect(close(usual, 150, within: 5))
        #expect(offsets.allSatisfy { close($0, usual, within: 3) })
        #expect(placesLookedAt.last.map { $0.number > WanderingFaceClip.frameCount - 5 } == true)
    }
}
