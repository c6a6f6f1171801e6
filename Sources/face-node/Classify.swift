import ArgumentParser
import Face
import Foundation
import Inference
import Media
import MediaKit
import NodeKit

/// `face-node classify`: the expression on pictures, one JSON line each.
struct Classify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell the expression on pictures: one JSON line a picture, on standard output.",
        discussion: """
            {"file":"a.jpg","probabilities":{"positive":0.91,"neutral":0.07,"negative":0.02},"logits":{...},...}
            A picture that cannot be judged has "error" instead ("noFace", or why its face is not usable), and does not \
            stop the others.

            Exit codes: 0 every picture was judged; 65 a picture is damaged, or shows no usable face; 66 a file is \
            missing; 69 the model or the detector is missing; 64 usage.
            """)

    @OptionGroup var expression: ExpressionOptions
    @OptionGroup var detectors: FaceDetectorOptions

    @Flag(help: "The pictures are faces already, cropped as in FER2013: no detection, the middle square is taken as it is.")
    var cropped = false

    @Argument(help: ArgumentHelp("Pictures (JPEG, PNG, WebP, BMP ...).", valueName: "image"))
    var images: [String]

    func run() throws {
        let judge = try detectors.load {
            PictureJudge(
                classifier: try expression.makeClassifier(), finder: try detectors.makeFinder(),
                headReader: try detectors.makeHeadReader(), cropped: cropped)
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var exitCode = ExitCode.success
        for image in images {
            let judgement = judge.judgement(of: image)
            if let failure = judgement.exitCode {
                StandardStreams.tell("face-node: \(judgement.message ?? image)")
                // A missing file outweighs a bad one: it is what the user can mend at once.
                exitCode = exitCode == .noInput ? exitCode : failure
            }
            try StandardStreams.print(try encoder.encode(judgement.line))
        }
        if exitCode != .success { throw exitCode }
    }
}

/// What finds the face.
struct FaceDetectorOptions: ParsableArguments {
    @Option(help: "Folder of MediaPipe's face detectors (TFLite).", completion: .directory)
    var detectors = ModelPaths.fetched + "/mediapipe"

    @Option(help: "Use OpenCV's Haar cascade in this file instead of BlazeFace.", completion: .file())
    var haarCascade: String?

    /// - Throws: what `FaceFinder.init` throws.
    func makeFinder(tracksAll: Bool = false) throws -> FaceFinder {
        var settings = FaceFinderSettings()
        settings.tracksAll = tracksAll
        if let haarCascade { settings.detector = .haarCascade(path: haarCascade) }
        return try FaceFinder(settings: settings, modelsPath: detectors)
    }

    /// - Throws: `InferenceError`, or what `FaceFinder.init` throws.
    func makeHeadReader() throws -> HeadReader { try HeadReader(modelsPath: detectors) }

    /// Runs what needs the models; without them, one line on standard error and exit code 69.
    func load<Loaded>(_ body: () throws -> Loaded) throws -> Loaded {
        do {
            return try body()
        } catch {
            StandardStreams.tell("face-node: \(error)")
            throw ExitCode.unavailable
        }
    }
}

extension ExitCode {
    /// sysexits.h: EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE, EX_SOFTWARE.
    static let badInput = ExitCode(65)
    static let noInput = ExitCode(66)
    static let unavailable = ExitCode(69)
    static let internalError = ExitCode(70)

    /// What an input that could not be read means for the command.
    init(_ error: any Error, input: String) { self.init(SessionFailure(error, input: input).exitCode) }
}

/// One picture in, one line out.
private struct PictureJudge {
    struct Judgement {
        var line: Line
        /// nil if the picture was judged.
        var exitCode: ExitCode?
        /// For standard error.
        var message: String?
    }

    struct Line: Encodable {
        var file: String
        var probabilities: [String: Double]?
        /// What `probabilities` are the softmax of.
        var logits: [String: Double]?
        /// The eight emotions of FER+.
        var emotions: [String: Double]?
        var label: String?
        var faceCount: Int?
        /// The detector's box: left, top, width and height in pixels.
        var boxPixels: [Double]?
        var detectorScore: Double?
        var error: String?
    }

    private let analyzer: FaceAnalyzer
    private let classifier: ExpressionClassifier
    private let cropped: Bool

    init(classifier: ExpressionClassifier, finder: FaceFinder, headReader: HeadReader, cropped: Bool) {
        self.classifier = classifier
        analyzer = FaceAnalyzer(finder: finder, headReader: headReader, classifier: classifier)
        self.cropped = cropped
    }

    func judgement(of file: String) -> Judgement {
        do {
            let picture = try RGBImage(contentsOf: file)
            return cropped ? try judgement(ofFace: picture, file: file) : try judgement(of: picture, file: file)
        } catch {
            return Judgement(line: Line(file: file, error: "\(error)"), exitCode: ExitCode(error, input: file), message: "\(error)")
        }
    }

    private func judgement(ofFace picture: RGBImage, file: String) throws -> Judgement {
        var line = Line(file: file)
        if let expression = try classifier.classify([picture], areas: [FaceFraming.wholeArea(of: picture)]).first {
            fill(&line, with: expression)
        }
        return Judgement(line: line)
    }

    private func judgement(of picture: RGBImage, file: String) throws -> Judgement {
        let observation = try analyzer.analyze(still: picture)
        var line = Line(file: file, faceCount: observation.faceCount)
        guard let face = observation.face else {
            line.error = "noFace"
            return Judgement(line: line, exitCode: .badInput, message: "\(file): no face found; if it is one, say --cropped")
        }
        let box = face.box
        line.boxPixels = [box.centreX - box.width / 2, box.centreY - box.height / 2, box.width, box.height].map(rounded)
        line.detectorScore = rounded(face.detectorScore)
        guard let expression = face.expression else {
            let reason = face.unusable?.rawValue ?? "unusable"
            line.error = reason
            return Judgement(line: line, exitCode: .badInput, message: "\(file): the face is not usable: \(reason)")
        }
        fill(&line, with: expression)
        return Judgement(line: line)
    }

    private func fill(_ line: inout Line, with expression: FaceExpression) {
        let labels = ModelCard.labels
        let probabilities = expression.probabilities
        line.probabilities = Dictionary(zip(labels, probabilities.map(rounded)), uniquingKeysWith: { first, _ in first })
        let logits = expression.logits.map { (Double($0) * 1_000_000).rounded() / 1_000_000 }
        line.logits = Dictionary(zip(labels, logits), uniquingKeysWith: { first, _ in first })
        line.label = zip(probabilities, labels).max { $0.0 < $1.0 }?.1
        if !classifier.emotions.isEmpty {
            let emotions = zip(classifier.emotions, expression.emotionProbabilities.map(rounded))
            line.emotions = Dictionary(emotions, uniquingKeysWith: { first, _ in first })
        }
    }

    /// To four digits: equal results are equal bytes.
    private func rounded(_ value: Double) -> Double { (value * 10_000).rounded() / 10_000 }
}
