import Face
import Foundation
import Inference
import Media
import Testing

/// Files beside the tests, clips that may be absent, and installed models.
enum Fixtures {
    private static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    private static let root = tests.deletingLastPathComponent().deletingLastPathComponent()
    private static let prefix = ProcessInfo.processInfo.environment["ADREACT_PREFIX"] ?? "/opt/adreact"

    static let detectors = prefix + "/models/mediapipe"
    static let model = root.appendingPathComponent("Models/face").path
    static let haarCascade = "/usr/share/opencv4/haarcascades/haarcascade_frontalface_default.xml"

    static func path(_ name: String) -> String { tests.appendingPathComponent("Fixtures/" + name).path }

    static func decode<Value: Decodable>(_: Value.Type, from name: String) throws -> Value {
        try JSONDecoder().decode(Value.self, from: Data(contentsOf: URL(fileURLWithPath: path(name))))
    }

    static func picture(_ name: String) throws -> RGBImage { try RGBImage(contentsOf: path(name)) }

    static func clip(_ name: String) -> String { root.appendingPathComponent("../shared/clips/" + name).path }

    static func analyzer(
        settings: FaceFinderSettings = FaceFinderSettings(), classifier: ExpressionClassifier? = nil,
        limits: FaceQualityLimits = FaceQualityLimits()
    ) throws -> FaceAnalyzer {
        FaceAnalyzer(
            finder: try FaceFinder(settings: settings, modelsPath: detectors), headReader: try HeadReader(modelsPath: detectors),
            classifier: try classifier ?? ExpressionClassifier(folder: ModelFolder.load(model)), limits: limits)
    }

    /// The real clips are no part of the repository.
    static let hasClips = FileManager.default.fileExists(atPath: clip("grid-1.mpg"))

    /// Every frame of a clip, in order.
    static func forEachFrame(of name: String, _ body: (VideoFrame) throws -> Void) throws {
        try forEachFrame(at: clip(name), body)
    }

    /// Every frame of a recording, in order.
    static func forEachFrame(at path: String, _ body: (VideoFrame) throws -> Void) throws {
        let source = try Demultiplexer(input: path, options: .init())
        let track = try #require(source.description.video)
        let decoder = try VideoDecoder(track, threadCount: 1)
        while let packet = try source.next() {
            guard packet.track == .video else { continue }
            try decoder.decode(packet).forEach(body)
        }
        try decoder.finish().forEach(body)
    }
}

func close(_ a: Double, _ b: Double, within tolerance: Double) -> Bool { abs(a - b) <= tolerance }
