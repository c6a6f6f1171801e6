import Inference
import Media
import Synchronization

/// A network that sees the blood volume wave in pictures of a face: DeepPhys, or an imported one.
///
/// It looks at blocks of pictures, 30 a second. All that its inventors did to the pictures is in the model's file, so the folder says only
/// how many pictures of which size it takes, and whether a wave or its derivative comes out.
public final class FaceWaveNetwork: PulseMethod {
    /// The `settings` of its card.
    public struct Settings: Sendable, Decodable, Equatable {
        /// Whether the outputs are the steps of the wave from each picture to the next.
        public var isDerivative: Bool
    }

    /// The pictures' width and height, pixels.
    public let sidePixels: Int
    /// The pictures of a second that it was trained on, Hz.
    public static let rateHz = 30.0
    /// Half the length of the running mean that is taken off the wave, s.
    static let trendReachSeconds = 1.0

    private let model: CompiledModel
    private let settings: Settings
    /// Numbers that come out of a block, and pictures that go in before the first of them.
    private let blockCount: Int
    private let leadCount: Int
    private let recent: Mutex<RecentBlocks>

    /// - Parameter folder: A model of task `pulse-wave`: [pictures, side, side, 3], RGB 0...255, in; [numbers, 1] out; as many pictures as
    ///   numbers, or more: the numbers then belong to the last of them.
    /// - Throws: `InferenceError` if the weights or the card do not fit.
    public init(folder: ModelFolder) throws(InferenceError) {
        func fail(_ detail: String) -> InferenceError { InferenceError(.invalidCard, path: folder.path, detail: detail) }
        guard folder.card.task == .pulseWave else {
            throw fail("a model for \(folder.card.task.rawValue), not for the wave of the pulse (pulse-wave)")
        }
        settings = try folder.settings(Settings.self)
        model = try folder.compile(threadCount: 1)
        let input = folder.card.input.shape
        guard input.count == 4, input[1] == input[2], input[3] == 3, input.allSatisfy({ (1...4096).contains($0) }) else {
            throw fail("\"input.shape\" must be [pictures, side, side, 3], not \(input)")
        }
        guard let output = model.outputs.first?.shape, output.count == 2, (1...input[0]).contains(output[0]), [1, -1].contains(output[1]) else {
            throw fail("the output has the shape \(model.outputs.first?.shape ?? []), not [numbers, 1] with at most \(input[0]) numbers")
        }
        sidePixels = input[1]
        blockCount = output[0]
        leadCount = input[0] - output[0]
        recent = Mutex(RecentBlocks())
    }

    /// - Throws: `PulseError.noPictures` if the trace has none, or not of this side or rate; `PulseError.network` if the network fails.
    public func wave(of trace: ColourTrace) throws(PulseError) -> [Double] {
        guard trace.pictures.count == trace.count, trace.rateHz == Self.rateHz, let first = trace.pictures.first,
            trace.pictures.allSatisfy({ $0.width == sidePixels && $0.height == sidePixels })
        else { throw .noPictures(sidePixels: sidePixels) }
        // Whole blocks, counted back from the end; what they lack at the beginning is its first picture.
        let blocks = (trace.count + blockCount - 1) / blockCount
        let missing = blocks * blockCount - trace.count
        let pictures = [RGBImage](repeating: first, count: missing + leadCount) + trace.pictures
        var outputs: [Float] = []
        for block in 0..<blocks {
            let start = block * blockCount
            outputs += try output(of: pictures[start..<start + leadCount + blockCount])
        }
        var values = outputs.suffix(trace.count).map(Double.init)
        if settings.isDerivative {
            var sum = 0.0
            values = values.map { step in
                sum += step
                return sum
            }
        }
        let trend = MovingAverage.centred(values, reach: Int((Self.trendReachSeconds * trace.rateHz).rounded(.up)))
        return zip(values, trend).map { $0 - $1 }
    }

    /// Windows that follow one another have most blocks in common if these are short (1 s): each is computed once.
    private func output(of block: ArraySlice<RGBImage>) throws(PulseError) -> [Float] {
        if let known = recent.withLock({ $0.output(of: block) }) { return known }
        let tensor = Tensor(
            shape: [block.count, sidePixels, sidePixels, 3], values: block.flatMap { $0.pixels.map(Float.init) })
        let values: [Float]
        do throws(InferenceError) {
            values = try model.run([tensor]).first?.values ?? []
        } catch { throw .network("\(error)") }
        guard values.count == blockCount, values.allSatisfy(\.isFinite) else {
            throw .network("\(model.path): gave \(values.count) numbers instead of \(blockCount), or one that is not finite")
        }
        recent.withLock { $0.add(block, values) }
        return values
    }
}

/// The outputs of the last blocks. What is found here is what the network would give again.
private struct RecentBlocks {
    /// More than fit into the longest usual window of the shortest blocks.
    private static let mostCount = 16
    private var entries: [(block: ArraySlice<RGBImage>, output: [Float])] = []

    /// Pictures of the same frame share their memory, so that most comparisons end at once.
    func output(of block: ArraySlice<RGBImage>) -> [Float]? {
        entries.last { $0.block.elementsEqual(block) }?.output
    }

    mutating func add(_ block: ArraySlice<RGBImage>, _ output: [Float]) {
        if entries.count == Self.mostCount { entries.removeFirst() }
        entries.append((ArraySlice(Array(block)), output))
    }
}

/// What part of a picture such a network is shown: upright, from the hairline to the chin.
///
/// The frame of BlazeFace's box as `open-rppg` widens it (0.9 of its width, 1.1 of its height), in which the imported networks were
/// trained, told from the keypoints, which are steadier: on nine clips the box is 2.17 ± 0.10 eye distances wide and reaches from 0.87 ±
/// 0.11 above the eyes to 1.77 ± 0.07 below; the mouth lies 1.07 below.
enum FaceWaveFraming {
    static let width = 2.17
    static let above = 0.87
    static let below = 1.77
    static let eyesToMouth = 1.07

    /// - Parameter keypoints: Six points as in `FaceArea`.
    static func area(for keypoints: [SIMD2<Double>]) -> RotatedRectangle {
        let (rightEye, leftEye, nose, mouth) = (keypoints[0], keypoints[1], keypoints[2], keypoints[3])
        let eyes = (rightEye + leftEye) / 2
        func length(_ vector: SIMD2<Double>) -> Double { (vector * vector).sum().squareRoot() }
        // Of a head turned aside the eyes come together, of one bent down eyes and mouth do.
        let unit = max(length(leftEye - rightEye), length(mouth - eyes) / eyesToMouth)
        return RotatedRectangle(
            centreX: (eyes.x + nose.x) / 2, centreY: eyes.y + unit * (below - above) / 2, width: unit * width,
            height: unit * (above + below))
    }
}
