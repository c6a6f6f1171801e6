import Face
import Foundation
import Inference
import Media
import Testing

/// `Fixtures/small-vit`, made by `golden/small_vit.py`: the structure of the original's ViT-B/16 with its head, but small.
@Suite("A network of the original's kind, RGB and three classes alone, is served as PyTorch computes it")
struct OriginalNetworkTests {
    struct Golden: Decodable {
        var logits: [[Float]]
    }

    private let folder: ModelFolder
    private let classifier: ExpressionClassifier

    init() throws {
        folder = try ModelFolder.load(Fixtures.path("small-vit"))
        classifier = try ExpressionClassifier(folder: folder)
    }

    /// The pictures of small_vit.py, each channel its own. `size` above 32: each pixel as a block.
    private func formulaPicture(_ k: Int, size: Int = 32) throws -> RGBImage {
        let pixels = (0..<size * size).flatMap { index -> [UInt8] in
            let column = index % size * 32 / size, row = index / size * 32 / size
            return (0..<3).map { channel in
                let value = column * (3 + k + 2 * channel) + row * (5 + 2 * k + channel) + 40 * channel
                return UInt8(truncatingIfNeeded: value % 256)
            }
        }
        return try #require(RGBImage(width: size, height: size, pixels: pixels))
    }

    @Test("OpenVINO's logits are PyTorch's within 1e-3")
    func matchesPyTorch() throws {
        let golden = try Fixtures.decode(Golden.self, from: "small-vit/golden.json")
        let expressions = try classifier.classify(golden.logits.indices.map { try formulaPicture($0) })
        #expect(expressions.count == 4)
        for (expression, logits) in zip(expressions, golden.logits) {
            #expect(zip(expression.logits, logits).allSatisfy { abs($0 - $1) <= 1e-3 })
        }
        // A network that answers the same to everything would pass.
        let first = golden.logits.map { $0[0] }
        #expect(try #require(first.max()) - #require(first.min()) > 0.1)
    }

    @Test("Channels go in as red, green, blue")
    func keepsChannelsApart() throws {
        let picture = try formulaPicture(0)
        let pixels = stride(from: 0, to: picture.pixels.count, by: 3).flatMap { picture.pixels[$0..<$0 + 3].reversed() }
        let blueFirst = try #require(RGBImage(width: 32, height: 32, pixels: pixels))
        let expressions = try classifier.classify([picture, blueFirst])
        #expect(abs(expressions[0].logits[0] - expressions[1].logits[0]) > 1e-2)
    }

    @Test("A larger picture is brought to the network's size: blocks of pixels are averaged")
    func bringsToSize() throws {
        let large = try formulaPicture(1, size: 96)
        let expressions = try classifier.classify([large], areas: [FaceFraming.wholeArea(of: large)])
        #expect(try expressions == classifier.classify([formulaPicture(1)]))
    }

    @Test("It tells no emotions, and its probabilities add up to 1")
    func hasThreeClassesAlone() throws {
        let expression = try #require(try classifier.classify([formulaPicture(2)]).first)
        #expect(classifier.emotions.isEmpty && expression.emotionLogits.isEmpty)
        #expect(close(expression.probabilities.reduce(0, +), 1, within: 1e-12))
    }

    @Test("Two threads give the bits of one")
    func threadsDoNotMatter() throws {
        let twoThreads = try ExpressionClassifier(folder: folder, threadCount: 2)
        let picture = try formulaPicture(3)
        #expect(try twoThreads.classify([picture]) == classifier.classify([picture]))
    }

    @Test("It reads the viewer's face in a frame like any other network")
    func servesFrames() throws {
        let analyzer = try Fixtures.analyzer(classifier: classifier)
        let face = try #require(try analyzer.analyze(still: try Fixtures.picture("face-320x240.png")).face)
        #expect(face.unusable == nil && face.logits?.count == 3)
    }
}
