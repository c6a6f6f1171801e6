import Face
import Foundation
import Inference
import Media
import Testing

@Suite("The expression network serves what PyTorch trained")
struct ClassifierTests {
    struct Golden: Decodable {
        struct Row: Decodable {
            var classLogits: [Float]
            var emotionLogits: [Float]
        }
        var sha256: String
        var pictures: [Row]
    }

    private let classifier: ExpressionClassifier

    init() throws {
        classifier = try ExpressionClassifier(folder: ModelFolder.load(Fixtures.model))
    }

    /// The pictures that Models/training/face/export.py computed PyTorch's logits for: number `k`, made by a formula.
    private func formulaPicture(_ k: Int) throws -> RGBImage {
        let size = classifier.inputSize
        let pixels = (0..<size * size).flatMap { index -> [UInt8] in
            let grey = UInt8(truncatingIfNeeded: (index % size * (3 + k) + index / size * (5 + 2 * k)) % 256)
            return [grey, grey, grey]
        }
        return try #require(RGBImage(width: size, height: size, pixels: pixels))
    }

    @Test("OpenVINO's logits are PyTorch's within 1e-4")
    func matchesPyTorch() throws {
        let golden = try Fixtures.decode(Golden.self, from: "face-logits.json")
        #expect(classifier.card.sha256 == golden.sha256, "run Models/training/face/export.py again: the fixture is of other weights")
        let expressions = try classifier.classify(golden.pictures.indices.map(formulaPicture))
        for (expression, row) in zip(expressions, golden.pictures) {
            #expect(zip(expression.logits, row.classLogits).allSatisfy { abs($0 - $1) <= 1e-4 })
            #expect(zip(expression.emotionLogits, row.emotionLogits).allSatisfy { abs($0 - $1) <= 1e-4 })
        }
    }

    @Test("Quantised weights that are not those of the card are refused")
    func refusesOtherQuantisedWeights() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.copyItem(at: URL(fileURLWithPath: Fixtures.model), to: folder)
        let weights = folder.appendingPathComponent("model.int8.bin")
        var bytes = try Data(contentsOf: weights)
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: weights)
        let error = try #require(throws: InferenceError.self) { try ModelFolder.load(folder.path) }
        #expect(error.code == .wrongHash && error.path.hasSuffix("model.int8.xml"))
    }

    @Test("A picture's logits are the same bits alone and in a batch")
    func batchesBitEqually() throws {
        let pictures = try (0..<5).map(formulaPicture)
        #expect(try pictures.flatMap { try classifier.classify([$0]) } == classifier.classify(pictures))
        #expect(try classifier.classify([RGBImage]()).isEmpty)
    }

    @Test("The classes are the sums of their emotions")
    func foldsEmotions() throws {
        let expression = try #require(try classifier.classify([formulaPicture(0)]).first)
        #expect(classifier.emotions == ["happiness", "surprise", "neutral", "sadness", "anger", "disgust", "fear", "contempt"])
        let emotions = expression.emotionProbabilities
        let folded = [emotions[0] + emotions[1], emotions[2], emotions[3...].reduce(0, +)]
        #expect(zip(folded, expression.probabilities).allSatisfy { close($0, $1, within: 1e-5) })
        #expect(close(expression.probabilities.reduce(0, +), 1, within: 1e-12))
    }

    @Test("Colour does not matter: a picture and its grey have one expression")
    func ignoresColour() throws {
        let picture = try Fixtures.picture("face-128.png")
        let grey = GreyImage(picture).pixels.flatMap { [$0, $0, $0] }
        let greyPicture = try #require(RGBImage(width: 128, height: 128, pixels: grey))
        let area = RotatedRectangle(centreX: 62, centreY: 58, width: 90, height: 90, angleRadians: 0)
        let expressions = try classifier.classify([picture, greyPicture], areas: [area, area])
        // Averaging colours and then taking the grey rounds differently from the other way round.
        #expect(zip(expressions[0].probabilities, expressions[1].probabilities).allSatisfy { close($0, $1, within: 0.02) })
    }

    @Test("A crop of the wrong size is an error, not a guess")
    func refusesWrongSize() throws {
        let picture = try Fixtures.picture("face-128.png")
        #expect { try classifier.classify([picture]) } throws: { ($0 as? InferenceError)?.code == .wrongShape }
    }

    @Test("A still picture gives a face with an expression; an empty one gives none; again the same bits")
    func analysesStills() throws {
        let analyzer = try Fixtures.analyzer(classifier: classifier)
        let picture = try Fixtures.picture("face-320x240.png")
        let observation = try analyzer.analyze(still: picture)
        let face = try #require(observation.face)
        #expect(face.unusable == nil && face.logits?.count == 3)
        #expect(face.facesScreen == true && face.eyesAreOpen == true && face.number == nil)
        #expect(face.quality.visibleShare > 0.8 && (100...220).contains(face.quality.sizePixels))
        let empty = try #require(RGBImage(width: 64, height: 64, pixels: [UInt8](repeating: 0, count: 64 * 64 * 3)))
        #expect(try analyzer.analyze(still: empty) == FaceObservation(face: nil, faceCount: 0))
        #expect(try analyzer.analyze(still: picture) == observation)
    }

    @Test("A face too dark to read is found, and not guessed at")
    func doesNotGuess() throws {
        var limits = FaceQualityLimits()
        limits.leastBrightness = 0.99
        limits.mostBrightness = 1
        let analyzer = try Fixtures.analyzer(classifier: classifier, limits: limits)
        let face = try #require(try analyzer.analyze(still: try Fixtures.picture("face-320x240.png")).face)
        #expect(face.unusable == .tooDark && face.logits == nil && face.probabilities == nil)
    }
}
