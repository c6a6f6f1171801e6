import ArgumentParser
import Face
import Foundation
import Media
import NodeKit

/// `face-node crop`: the picture that the network is shown of each face, for training.
struct Crop: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Cut the main face out of pictures, framed as the expression network is shown it.",
        discussion: """
            Writes DIR/NAME.pgm (grey), or with --colour DIR/NAME.ppm, for each picture and prints one JSON line: file, crop, \
            the frame in the picture, and the face's six keypoints. Exit codes as for classify.
            """)

    @OptionGroup var detectors: FaceDetectorOptions

    @Option(help: "Side of the crops, in pixels.")
    var size = 80

    @Flag(help: "Keep the colours: for networks with three input channels.")
    var colour = false

    @Option(help: "Folder for the crops.")
    var out: String

    @Argument(help: ArgumentHelp("Pictures (JPEG, PNG, WebP, BMP ...).", valueName: "image"))
    var images: [String]

    func validate() throws {
        guard (8...1024).contains(size) else { throw ValidationError("--size must be 8 to 1024 pixels, not \(size)") }
    }

    func run() throws {
        let finder = try detectors.load { try detectors.makeFinder() }
        try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var exitCode = ExitCode.success
        var taken: Set<String> = []
        for image in images {
            var line = Line(file: image)
            do {
                try cut(image, with: finder, taken: &taken, into: &line)
                if line.crop == nil {
                    line.error = "noFace"
                    exitCode = exitCode == .noInput ? exitCode : .badInput
                }
            } catch {
                line.error = "\(error)"
                exitCode = exitCode == .noInput ? exitCode : ExitCode(error, input: image)
            }
            if let error = line.error { StandardStreams.tell("face-node: \(image): \(error)") }
            try StandardStreams.print(try encoder.encode(line))
        }
        if exitCode != .success { throw exitCode }
    }

    private struct Line: Encodable {
        var file: String
        var crop: String?
        /// Centre x, y, side in pixels, and angle in radians, of the frame in the picture.
        var frame: [Double]?
        /// x and y of right eye, left eye, nose tip, mouth, right and left tragion, in pixels.
        var keypoints: [Double]?
        var detectorScore: Double?
        var error: String?
    }

    private func cut(_ file: String, with finder: FaceFinder, taken: inout Set<String>, into line: inout Line) throws {
        let picture = try RGBImage(contentsOf: file)
        finder.reset()
        guard let face = try finder.find(in: picture, ptsNanoseconds: 0).face else { return }
        let area = FaceFraming.area(for: face)
        let crop = try picture.crop(area, outputWidth: size, outputHeight: size)
        let name = URL(fileURLWithPath: file).deletingPathExtension().lastPathComponent
        let path = out + "/" + name + (colour ? ".ppm" : ".pgm")
        guard taken.insert(path).inserted else {
            throw MediaError(.invalidRequest, input: file, detail: "\(path) is another picture's already; rename one, or give another --out")
        }
        let content = colour ? crop.portablePixelMap : GreyImage(crop).portableGreyMap
        try content.write(to: URL(fileURLWithPath: path), options: .atomic)
        line.crop = path
        line.frame = [area.centreX, area.centreY, area.width, area.angleRadians]
        line.keypoints = face.keypoints?.points.flatMap { [$0.x, $0.y] }
        line.detectorScore = face.detectorScore
    }
}

extension GreyImage {
    /// Binary PGM (netpbm): the simplest picture file there is; OpenCV, PIL and FFmpeg read it.
    fileprivate var portableGreyMap: Data { Data("P5\n\(width) \(height)\n255\n".utf8) + Data(pixels) }
}

extension RGBImage {
    /// Binary PPM (netpbm), likewise for colours.
    fileprivate var portablePixelMap: Data { Data("P6\n\(width) \(height)\n255\n".utf8) + Data(pixels) }
}
