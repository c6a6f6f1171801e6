import Inference
import Media

/// Finds the main viewer's face in each frame of a video, and keeps to that person.
///
/// ```swift
/// let finder = try FaceFinder(modelsPath: "/opt/adreact/models/mediapipe")
/// let finding = try finder.find(in: frame)
/// ```
///
/// Give it every frame of a segment in presentation order, and call `reset()` at each segment's first frame: the result is
/// then a function of the segment's frames alone. One thread at a time.
///
/// With BlazeFace, every `detectionIntervalFrames`-th frame is looked at; between them the face is where it was. A known face
/// is looked for around its last place. The whole picture is searched, for the number of faces and for small ones, in
/// every `searchIntervalDetections`-th of these frames; while no face is known, in all of them, for large ones.
/// Each face that is reported has been seen by the short-range network in a close-up, which both places the eyes well and
/// keeps out bottles and lamps.
public final class FaceFinder {
    private let settings: FaceFinderSettings
    private let detector: Detector
    private var tracker: FaceTracker
    private var frameNumber = 0
    private var last = FaceFinding(face: nil, faceCount: 0)

    private enum Detector {
        case blazeFace(short: BlazeFace, full: BlazeFace)
        case haarCascade(HaarCascade)
    }

    /// - Parameters:
    ///   - modelsPath: The folder of MediaPipe's TFLite files. Not read with the Haar cascade.
    /// - Throws: `InferenceError` or `HaarCascadeError` if the detector's file is missing or damaged.
    public init(settings: FaceFinderSettings = FaceFinderSettings(), modelsPath: String) throws {
        self.settings = settings
        tracker = FaceTracker()
        switch settings.detector {
        case .blazeFace:
            detector = .blazeFace(
                short: try BlazeFace(.short, modelsPath: modelsPath), full: try BlazeFace(.full, modelsPath: modelsPath))
        case .haarCascade(let path):
            detector = .haarCascade(try HaarCascade(contentsOf: path))
        }
    }

    /// Forgets the viewer: the next frame is the first of a segment.
    public func reset() {
        tracker = FaceTracker()
        frameNumber = 0
        last = FaceFinding(face: nil, faceCount: 0)
    }

    /// - Throws: `InferenceError`, `HaarCascadeError`, or what `picture` throws.
    public func find(in picture: some PictureSource) throws -> FaceFinding {
        let (detection, heldFrames) = frameNumber.quotientAndRemainder(dividingBy: settings.detectionIntervalFrames)
        frameNumber += 1
        guard heldFrames == 0 else { return last }
        switch detector {
        case .blazeFace(let short, let full):
            let search = BlazeFaceSearch(picture: picture, short: short, full: full, settings: settings)
            last = try find(with: search, isSearch: detection % settings.searchIntervalDetections == 0)
        case .haarCascade(let cascade):
            let faces = try cascade.faces(in: picture)
            last = FaceFinding(face: tracker.advance(faces).map(TrackedFace.init), faceCount: faces.count)
        }
        return last
    }

    /// - Parameter isSearch: Whether to search the whole picture though the viewer is known.
    private func find(with search: BlazeFaceSearch<some PictureSource>, isSearch: Bool) throws -> FaceFinding {
        let known = try tracker.viewer.flatMap { try search.closeUp(of: $0, scoreThreshold: settings.keepScore) }
        if let known, !isSearch {
            return FaceFinding(face: tracker.advance([known]).map(TrackedFace.init), faceCount: max(last.faceCount, 1))
        }
        let faces = try search.faces(thorough: isSearch, known: known)
        return FaceFinding(face: tracker.advance(faces).map(TrackedFace.init), faceCount: faces.count)
    }
}

/// What `FaceFinder` found in one frame.
public struct FaceFinding: Sendable, Equatable {
    /// The main viewer; nil if not in this frame.
    public var face: TrackedFace?
    /// How many faces there are, others included. Between searches of the whole picture this is the number of the last one.
    public var faceCount: Int

    public init(face: TrackedFace?, faceCount: Int) {
        self.face = face
        self.faceCount = faceCount
    }
}

/// The main viewer's face, in pixels of the upright picture.
public struct TrackedFace: Sendable, Equatable {
    /// The detector's box, upright.
    public var box: RotatedRectangle
    /// 0 to 1.
    public var detectorScore: Double
    /// nil with the Haar cascade.
    public var keypoints: FaceKeypoints?

    public init(box: RotatedRectangle, detectorScore: Double, keypoints: FaceKeypoints?) {
        self.box = box
        self.detectorScore = detectorScore
        self.keypoints = keypoints
    }

    init(_ face: DetectedFace) {
        self.init(box: face.box, detectorScore: face.score, keypoints: face.keypoints)
    }
}

/// How faces are looked for. The defaults were chosen on the clips listed in the model card.
public struct FaceFinderSettings: Sendable, Equatable {
    /// The detector and, for the Haar cascade, OpenCV's `haarcascade_frontalface_default.xml`.
    public enum Detector: Sendable, Equatable {
        case blazeFace
        case haarCascade(path: String)
    }

    public var detector = Detector.blazeFace
    /// Every n-th frame of a segment is looked at, beginning with the first; in those between, the face is taken to be where
    /// it was. At least 1. Two: 67 ms at 30 frames/s, in which a face moves by less than training pictures are misaligned.
    public var detectionIntervalFrames = 2 {
        didSet { detectionIntervalFrames = max(1, detectionIntervalFrames) }
    }
    /// Of the frames looked at, the first of a segment and then every n-th one are searched from corner to corner. At least 1.
    public var searchIntervalDetections = 5 {
        didSet { searchIntervalDetections = max(1, searchIntervalDetections) }
    }
    /// Least score of a candidate that the short-range network sees in the whole picture, 0 to 1.
    public var shortRangeScore = 0.5
    /// Likewise for the full-range network, which takes more things for faces.
    public var fullRangeScore = 0.6
    /// Least score of a new face in its close-up.
    public var confirmScore = 0.7
    /// Least score of a known face in its close-up.
    public var keepScore = 0.5
    /// The side of a close-up, in sizes of the face's box.
    public var closeUpScale = 2.5
    /// No more candidates than this are looked at closely in one frame, the largest first.
    public var candidateLimit = 8

    public init() {}
}
