import FoundationEssentials
import Media

#if canImport(Glibc)
import Glibc
#endif

/// Turns BlazeFace's raw numbers into faces: anchors, decoding, weighted non-maximum suppression.
///
/// As MediaPipe does it: `ssd_anchors_calculator.cc`, `tensors_to_detections_calculator.cc` and
/// `non_max_suppression_calculator.cc` (algorithm WEIGHTED).
package struct BlazeFaceOutput: Sendable {
    /// One face in the unit square of the network's input.
    package struct Face: Sendable, Equatable {
        package var centreX, centreY, width, height: Double
        /// x and y of the six keypoints, alternating.
        package var keypoints: [Double]
        package var score: Double

        /// Whether all of it lies within a few sides of the unit square; not so for numbers that are not finite.
        fileprivate var isNearby: Bool {
            ([centreX, centreY, width, height] + keypoints).allSatisfy { abs($0) < 8 }
        }
    }

    /// Numbers for one anchor: box centre x, y, width, height, then six keypoints x, y.
    package static let valuesPerAnchor = 16
    /// Two boxes that overlap by more than this (intersection over union) are the same face.
    private static let sameFaceOverlap = 0.3

    private let anchors: [(x: Double, y: Double)]
    private let inputSize: Double

    package var anchorCount: Int { anchors.count }

    /// - Parameters:
    ///   - inputSize: The side of the network's square input, in pixels.
    ///   - layers: The stride of each feature map, in pixels, and how many anchors each of its cells has.
    package init(inputSize: Int, layers: [(stride: Int, anchorsPerCell: Int)]) {
        var anchors: [(x: Double, y: Double)] = []
        for layer in layers {
            let cells = inputSize / layer.stride
            for row in 0..<cells {
                for column in 0..<cells {
                    let anchor = (x: (Double(column) + 0.5) / Double(cells), y: (Double(row) + 0.5) / Double(cells))
                    anchors.append(contentsOf: repeatElement(anchor, count: layer.anchorsPerCell))
                }
            }
        }
        self.anchors = anchors
        self.inputSize = Double(inputSize)
    }

    /// - Parameters:
    ///   - regressors: `anchorCount` x 16 numbers, in pixels of the input, relative to the anchors.
    ///   - scores: `anchorCount` logits.
    ///   - scoreThreshold: Faces below this probability are left out.
    /// - Returns: Faces, best first.
    package func faces(regressors: [Float], scores: [Float], scoreThreshold: Double) -> [Face] {
        var found: [Face] = []
        // sigmoid(x) > t exactly where x > log(t / (1 - t)): nearly all anchors are dismissed without an exponential.
        let logitThreshold = log(scoreThreshold / (1 - scoreThreshold))
        for (index, logit) in scores.enumerated() where Double(logit) > logitThreshold {
            let face = decoded(index, regressors: regressors, score: 1 / (1 + exp(-Double(logit))))
            // Negative sizes are the network's nonsense; a NaN fails the comparison too.
            if face.width > 0, face.height > 0, face.isNearby { found.append(face) }
        }
        // Equal scores keep the anchors' order, so that the result is a function of the numbers alone.
        let order = found.indices.sorted { (found[$0].score, $1) > (found[$1].score, $0) }
        return Self.merged(order.map { found[$0] })
    }

    private func decoded(_ index: Int, regressors: [Float], score: Double) -> Face {
        let anchor = anchors[index]
        let first = index * Self.valuesPerAnchor
        func value(_ offset: Int) -> Double { Double(regressors[first + offset]) / inputSize }
        let keypoints = (4..<Self.valuesPerAnchor).map { value($0) + ($0 % 2 == 0 ? anchor.x : anchor.y) }
        return Face(
            centreX: value(0) + anchor.x, centreY: value(1) + anchor.y, width: value(2), height: value(3),
            keypoints: keypoints, score: score)
    }

    /// Weighted non-maximum suppression: the boxes that overlap the best one are averaged with it, weighted by score.
    private static func merged(_ sorted: [Face]) -> [Face] {
        var remaining = sorted
        var result: [Face] = []
        while let best = remaining.first {
            let same = remaining.filter { overlap($0, best) > sameFaceOverlap }
            remaining.removeAll { overlap($0, best) > sameFaceOverlap }
            guard !same.isEmpty else {  // so small a box that its area is zero overlaps not even itself
                remaining.removeFirst()
                continue
            }
            result.append(average(same, score: best.score))
        }
        return result
    }

    private static func average(_ faces: [Face], score: Double) -> Face {
        let total = faces.reduce(0) { $0 + $1.score }
        func mean(_ value: (Face) -> Double) -> Double { faces.reduce(0) { $0 + value($1) * $1.score } / total }
        return Face(
            centreX: mean(\.centreX), centreY: mean(\.centreY), width: mean(\.width), height: mean(\.height),
            keypoints: (0..<valuesPerAnchor - 4).map { index in mean { $0.keypoints[index] } }, score: score)
    }

    private static func overlap(_ a: Face, _ b: Face) -> Double {
        func box(_ face: Face) -> RotatedRectangle {
            RotatedRectangle(
                centreX: face.centreX, centreY: face.centreY, width: face.width, height: face.height, angleRadians: 0)
        }
        return box(a).overlap(with: box(b))
    }
}
