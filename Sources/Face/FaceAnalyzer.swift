import Inference
import Media

/// From a frame to the viewer's expression: find the face, judge whether it can be read, read it.
///
/// ```swift
/// let analyzer = FaceAnalyzer(finder: finder, classifier: classifier)
/// for frame in try decoder.decode(packet) {
///     let observation = try analyzer.analyze(frame)
/// }
/// ```
///
/// Give it the frames in presentation order. It starts afresh with every segment, so what it says of a frame depends only
/// on the frames of its segment up to it. One thread at a time.
public final class FaceAnalyzer {
    private let finder: FaceFinder
    private let classifier: ExpressionClassifier
    private let limits: FaceQualityLimits
    private var segment: UInt32?

    public init(finder: FaceFinder, classifier: ExpressionClassifier, limits: FaceQualityLimits = FaceQualityLimits()) {
        self.finder = finder
        self.classifier = classifier
        self.limits = limits
    }

    /// - Throws: `InferenceError`, `HaarCascadeError` or `MediaError`.
    public func analyze(_ frame: VideoFrame) throws -> FaceObservation {
        if frame.segment != segment {
            finder.reset()
            segment = frame.segment
        }
        return try analyze(frame, ptsNanoseconds: frame.ptsNanoseconds)
    }

    /// A single picture, with nothing before it.
    public func analyze(still picture: some PictureSource) throws -> FaceObservation {
        finder.reset()
        segment = nil
        return try analyze(picture, ptsNanoseconds: 0)
    }

    private func analyze(_ picture: some PictureSource, ptsNanoseconds: Int64) throws -> FaceObservation {
        let finding = try finder.find(in: picture, ptsNanoseconds: ptsNanoseconds)
        return FaceObservation(
            face: try finding.face.map { try observe($0, in: picture) }, faceCount: finding.faceCount)
    }

    private func observe(_ face: TrackedFace, in picture: some PictureSource) throws -> ObservedFace {
        let area = FaceFraming.area(for: face)
        let crop = try classifier.crop(picture, area: area)
        let quality = FaceQuality(crop: GreyImage(crop), area: area, in: picture)
        let reason = limits.reason(against: quality)
        let expression = reason == nil ? try classifier.classify([crop]).first : nil
        return ObservedFace(
            box: face.box, detectorScore: face.detectorScore, keypoints: face.keypoints, quality: quality,
            expression: expression, unusable: reason)
    }
}

/// What was seen of the viewer in one frame.
public struct FaceObservation: Sendable, Equatable {
    /// The main viewer; nil if not in this frame.
    public var face: ObservedFace?
    /// How many faces there are, others included.
    public var faceCount: Int

    public init(face: ObservedFace?, faceCount: Int) {
        self.face = face
        self.faceCount = faceCount
    }
}

/// The main viewer's face in one frame, in pixels of the upright picture.
public struct ObservedFace: Sendable, Equatable {
    /// The detector's box, upright.
    public var box: RotatedRectangle
    /// 0 to 1.
    public var detectorScore: Double
    public var keypoints: FaceKeypoints?
    public var quality: FaceQuality
    /// nil exactly if the face is not usable.
    public var expression: FaceExpression?
    /// Why not; nil if usable.
    public var unusable: UnusableFace?

    /// Positive, neutral, negative; nil if the face is not usable.
    public var logits: [Float]? { expression?.logits }
    /// Positive, neutral, negative, together 1; nil if the face is not usable.
    public var probabilities: [Double]? { expression?.probabilities }

    public init(
        box: RotatedRectangle, detectorScore: Double, keypoints: FaceKeypoints?, quality: FaceQuality,
        expression: FaceExpression?, unusable: UnusableFace?
    ) {
        self.box = box
        self.detectorScore = detectorScore
        self.keypoints = keypoints
        self.quality = quality
        self.expression = expression
        self.unusable = unusable
    }
}
