import Inference
import Media

/// From a frame to the viewer's expression: find the face, see how the head is turned, judge whether the face can be read, read it.
///
/// ```swift
/// let analyzer = FaceAnalyzer(finder: finder, headReader: headReader, classifier: classifier)
/// for frame in try decoder.decode(packet) {
///     let observation = try analyzer.analyze(frame)
/// }
/// ```
///
/// Give it the frames in presentation order. It starts afresh with every segment, so what it says of a frame depends only
/// on the frames of its segment up to it. One thread at a time; whoever wants to read the expressions on another one, while
/// the next frames are looked at, calls `look` here and gives what comes of it to `reader`.
public final class FaceAnalyzer {
    /// Names the expressions of what `look` gives.
    public let reader: ExpressionReader
    private let finder: FaceFinder
    private let headReader: HeadReader
    private let classifier: ExpressionClassifier
    private let limits: FaceQualityLimits
    private let attention: AttentionLimits
    private let timing: Timing
    private var segment: UInt32?
    /// Of each face of the finder's last look, the viewer's first.
    private var heads: [Head] = []
    /// Whose they are.
    private var headOwners: [HeadOwner] = []
    private var nextHeadNanoseconds = Int64.min
    /// Which of the finder's viewers `heads` know.
    private var knownViewer = 0
    /// How many viewers were met.
    private var meeting = 0

    private struct HeadOwner: Equatable {
        var isViewer: Bool
        var number: Int?
    }

    public struct Timing: Sendable, Equatable {
        /// Heads are read when faces are looked at, and the viewer's no sooner than this after the time before, in seconds of
        /// media time: less often, blinks (0.1 to 0.4 s) would be missed.
        public var headIntervalSeconds = 0.2
        /// Of the viewer's expression, as `ExpressionSmoother.timeConstantSeconds`.
        public var smoothingSeconds = 0.3

        public init() {}
    }

    /// What is done with a frame, in this order. Frames that are not looked at begin with `crop`.
    public enum Stage: String, Sendable, CaseIterable {
        /// Looking for faces in the whole picture ...
        case detect
        /// ... or only where they have been.
        case track
        /// The mesh, the pose and the eyes.
        case head
        /// Cutting the face out, and judging its quality.
        case crop
        case classify
    }

    /// Called at the end of each stage, for whoever measures them. What `reader` does for others is not told.
    public var onStageEnd: ((Stage) -> Void)?

    public init(
        finder: FaceFinder, headReader: HeadReader, classifier: ExpressionClassifier,
        limits: FaceQualityLimits = FaceQualityLimits(), attention: AttentionLimits = AttentionLimits(), timing: Timing = Timing()
    ) {
        self.finder = finder
        self.headReader = headReader
        self.classifier = classifier
        self.limits = limits
        self.attention = attention
        self.timing = timing
        reader = ExpressionReader(classifier: classifier, smoothingSeconds: timing.smoothingSeconds)
    }

    /// - Throws: `InferenceError`, `HaarCascadeError` or `MediaError`.
    public func analyze(_ frame: VideoFrame) throws -> FaceObservation {
        try read(look(at: frame))
    }

    /// A single picture, with nothing before it.
    public func analyze(still picture: some PictureSource) throws -> FaceObservation {
        reset()
        segment = nil
        return try read(look(at: picture, ptsNanoseconds: 0))
    }

    /// All but the expressions.
    ///
    /// - Throws: `InferenceError`, `HaarCascadeError` or `MediaError`.
    public func look(at frame: VideoFrame) throws -> UnreadObservation {
        if frame.segment != segment {
            reset()
            segment = frame.segment
        }
        return try look(at: frame, ptsNanoseconds: frame.ptsNanoseconds)
    }

    private func read(_ unread: UnreadObservation) throws -> FaceObservation {
        let observation = try reader.read(unread)
        for _ in unread.crops { onStageEnd?(.classify) }
        return observation
    }

    private func reset() {
        finder.reset()
        meetViewer()
    }

    /// What was known of the viewer before is nothing about this one.
    private func meetViewer() {
        knownViewer = finder.viewerNumber
        nextHeadNanoseconds = .min
        headOwners = []
        meeting += 1
    }

    private func look(at picture: some PictureSource, ptsNanoseconds: Int64) throws -> UnreadObservation {
        let finding = try finder.find(in: picture, ptsNanoseconds: ptsNanoseconds)
        if finder.viewerNumber != knownViewer { meetViewer() }
        let faces = (finding.face.map { [$0] } ?? []) + finding.others
        if let look = finder.lastLook, look.ptsNanoseconds == ptsNanoseconds {
            onStageEnd?(look.searchedPicture ? .detect : .track)
            let owners = faces.enumerated().map { HeadOwner(isViewer: finding.face != nil && $0 == 0, number: $1.number) }
            // Of several faces, the order may be another one at each look.
            if faces.count != 1 || owners != headOwners || ptsNanoseconds >= nextHeadNanoseconds {
                heads = try faces.map { try headReader.read($0, in: picture) }
                headOwners = owners
                nextHeadNanoseconds = ptsNanoseconds.later(bySeconds: timing.headIntervalSeconds)
                if !faces.isEmpty { onStageEnd?(.head) }
            }
        }
        var crops: [UnreadObservation.Crop] = []
        var observed: [ObservedFace] = []
        for (number, face) in faces.enumerated() {
            let (seen, crop) = try observe(face, head: heads[number], in: picture)
            if seen.unusable == nil { crops.append(.init(face: number, picture: crop)) }
            observed.append(seen)
        }
        let viewer = finding.face == nil ? nil : observed.first
        return UnreadObservation(
            observation: FaceObservation(
                face: viewer, others: Array(observed.dropFirst(viewer == nil ? 0 : 1)), faceCount: finding.faceCount),
            crops: crops, ptsNanoseconds: ptsNanoseconds, meeting: meeting)
    }

    private func observe(_ face: TrackedFace, head: Head, in picture: some PictureSource) throws -> (ObservedFace, RGBImage) {
        let area = FaceFraming.area(for: face)
        let crop = try classifier.crop(picture, area: area)
        let quality = FaceQuality(crop: GreyImage(crop), area: area, in: picture)
        onStageEnd?(.crop)
        let observed = ObservedFace(
            number: face.number, box: face.box, detectorScore: face.detectorScore, keypoints: face.keypoints, quality: quality,
            head: head, facesScreen: attention.facesScreen(head), eyesAreOpen: attention.eyesAreOpen(head), expression: nil,
            unusable: limits.reason(against: quality, detectorScore: face.detectorScore, head: head))
        return (observed, crop)
    }
}

/// What was seen of the viewer in one frame.
public struct FaceObservation: Sendable, Equatable {
    /// The main viewer; nil if not in this frame.
    public var face: ObservedFace?
    /// The other faces, if the finder tracks all.
    public var others: [ObservedFace]
    /// How many faces there are, others included.
    public var faceCount: Int

    public init(face: ObservedFace?, others: [ObservedFace] = [], faceCount: Int) {
        self.face = face
        self.others = others
        self.faceCount = faceCount
    }
}

/// A face in one frame, in pixels of the upright picture.
public struct ObservedFace: Sendable, Equatable {
    /// As `TrackedFace.number`.
    public var number: Int?
    /// The detector's box, upright.
    public var box: RotatedRectangle
    /// 0 to 1.
    public var detectorScore: Double
    public var keypoints: FaceKeypoints?
    public var quality: FaceQuality
    /// As it was when the face was last looked at, up to 0.36 s before.
    public var head: Head
    /// nil: not known.
    public var facesScreen: Bool?
    /// nil: not known.
    public var eyesAreOpen: Bool?
    /// nil exactly if the face is not usable.
    public var expression: FaceExpression?
    /// Why not; nil if usable.
    public var unusable: UnusableFace?

    /// Positive, neutral, negative; nil if the face is not usable.
    public var logits: [Float]? { expression?.logits }
    /// Positive, neutral, negative, together 1; nil if the face is not usable.
    public var probabilities: [Double]? { expression?.probabilities }

    public init(
        number: Int? = nil, box: RotatedRectangle, detectorScore: Double, keypoints: FaceKeypoints?, quality: FaceQuality, head: Head,
        facesScreen: Bool?, eyesAreOpen: Bool?, expression: FaceExpression?, unusable: UnusableFace?
    ) {
        self.number = number
        self.box = box
        self.detectorScore = detectorScore
        self.keypoints = keypoints
        self.quality = quality
        self.head = head
        self.facesScreen = facesScreen
        self.eyesAreOpen = eyesAreOpen
        self.expression = expression
        self.unusable = unusable
    }
}
