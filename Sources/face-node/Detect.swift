import ArgumentParser
import Face
import Foundation
import Media
import NodeKit

/// `face-node detect`: how well the viewer is found and followed.
struct Detect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell in which share of a video's frames the viewer is found.",
        discussion: """
            Each frame is also searched alone, corner to corner, as if there were no other; what is found there is the reference. \
            (Or, with --reference-cascade, what OpenCV's Haar cascade finds, another detector altogether.) One JSON line a video: \
            frames; framesWithFace, those whose largest face in the reference is larger than --least-size pixels; found, the share \
            of these in which the viewer is found and followed as in the pipeline; foundFrames, in how many frames at all. Exit codes \
            as for classify.
            """)

    @OptionGroup var detectors: FaceDetectorOptions

    @Option(help: "Smaller faces than this do not count, in pixels.")
    var leastSize = 60.0

    @Option(help: "OpenCV's Haar cascade in this file is the reference.", completion: .file())
    var referenceCascade: String?

    @Argument(help: ArgumentHelp("Videos.", valueName: "video"))
    var videos: [String]

    func run() throws {
        let (finder, reference) = try detectors.load { (try detectors.makeFinder(), try makeReference()) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var exitCode = ExitCode.success
        for video in videos {
            var line = Line(file: video)
            do {
                try watch(video, finder, reference, into: &line)
            } catch {
                line.error = "\(error)"
                StandardStreams.tell("face-node: \(error)")
                exitCode = exitCode == .noInput ? exitCode : ExitCode(error, input: video)
            }
            try StandardStreams.print(try encoder.encode(line))
        }
        if exitCode != .success { throw exitCode }
    }

    private struct Line: Encodable {
        var file: String
        var frames = 0
        var framesWithFace = 0
        /// 0 to 1; nil without such frames.
        var found: Double?
        var foundFrames = 0
        var error: String?
    }

    private func makeReference() throws -> FaceFinder {
        guard let referenceCascade else { return try detectors.makeFinder() }
        var settings = FaceFinderSettings()
        settings.detector = .haarCascade(path: referenceCascade)
        return try FaceFinder(settings: settings, modelsPath: detectors.detectors)
    }

    private func watch(_ video: String, _ finder: FaceFinder, _ reference: FaceFinder, into line: inout Line) throws {
        var foundOfThese = 0
        var segment: UInt32?
        // Of a recording that was cut, too.
        defer {
            if line.framesWithFace > 0 {
                line.found = (Double(foundOfThese) / Double(line.framesWithFace) * 10_000).rounded() / 10_000
            }
        }
        try VideoFile.read(video) { frame in
            if frame.segment != segment { finder.reset() }
            segment = frame.segment
            let isFound = try finder.find(in: frame).face != nil
            // Forgetting what was before makes it look at this frame, at all of it.
            reference.reset()
            let showsFace = try reference.find(in: frame).face.map { max($0.box.width, $0.box.height) > leastSize } ?? false
            line.frames += 1
            if isFound { line.foundFrames += 1 }
            if showsFace { line.framesWithFace += 1 }
            if showsFace, isFound { foundOfThese += 1 }
        }
    }
}
