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
/// With BlazeFace, a frame is looked at when `lookIntervalSeconds` of media time have passed since the last look, or
/// `stillLookIntervalSeconds` while the face keeps still; between looks the face is where it was. A known face is looked for
/// around its last place. The whole picture is searched, for the number of faces and for small ones, at longer intervals;
/// while no face is known, at every look, for large ones.
/// Each face that is reported has been seen by the short-range network in a close-up, which both places the eyes well and
/// keeps out bottles and lamps.
public final class FaceFinder {
    private let settings: FaceFinderSettings
    private let detector: Detector
    private var tracker: FaceTracker
    private var numbering = FaceNumbering()
    private var last = FaceFinding(face: nil, faceCount: 0)
    /// When and how a picture was last looked at; nil before the first one.
    public private(set) var lastLook: Look?
    private var nextLookNanoseconds = Int64.min
    private var nextSearchNanoseconds = Int64.min

    /// A picture that was looked at.
    public struct Look: Sendable, Equatable {
        /// When the picture is shown.
        public var ptsNanoseconds: Int64
        /// Whether faces were looked for in all of it, and not only where they had been.
        public var searchedPicture: Bool
    }

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

    /// Changes when somebody else becomes the main viewer. 0: there was none yet.
    public var viewerNumber: Int { tracker.viewerCount }

    /// Forgets the viewer: the next frame is the first of a segment.
    public func reset() {
        tracker = FaceTracker()
        numbering = FaceNumbering()
        last = FaceFinding(face: nil, faceCount: 0)
        lastLook = nil
        nextLookNanoseconds = .min
        nextSearchNanoseconds = .min
    }

    /// - Throws: `InferenceError`, `HaarCascadeError`, or `MediaError`.
    public func find(in frame: VideoFrame) throws -> FaceFinding {
        try find(in: frame, ptsNanoseconds: frame.ptsNanoseconds)
    }

    /// - Parameter ptsNanoseconds: When the picture is shown; not before the one before it.
    /// - Throws: `InferenceError`, `HaarCascadeError`, or what `picture` throws.
    public func find(in picture: some PictureSource, ptsNanoseconds: Int64) throws -> FaceFinding {
        guard ptsNanoseconds >= nextLookNanoseconds else { return last }
        let former = last.face
        var searchedPicture = true
        switch detector {
        case .blazeFace(let short, let full):
            let search = BlazeFaceSearch(picture: picture, short: short, full: full, settings: settings)
            (last, searchedPicture) = try find(with: search, ptsNanoseconds: ptsNanoseconds)
        case .haarCascade(let cascade):
            let faces = try cascade.faces(in: picture)
            last = finding(viewer: tracker.advance(faces), among: faces)
        }
        lastLook = Look(ptsNanoseconds: ptsNanoseconds, searchedPicture: searchedPicture)
        let interval = isStill(last.face, since: former) ? settings.stillLookIntervalSeconds : settings.lookIntervalSeconds
        nextLookNanoseconds = ptsNanoseconds.later(bySeconds: interval)
        return last
    }

    private func find(
        with search: BlazeFaceSearch<some PictureSource>, ptsNanoseconds: Int64
    ) throws -> (finding: FaceFinding, searchedPicture: Bool) {
        let isSearch = ptsNanoseconds >= nextSearchNanoseconds
        let known = try search.closeUps(of: knownFaces)
        let knowsViewer = tracker.viewer.map { FaceTracker().bestMatch(of: $0, among: known) != nil } ?? false
        if knowsViewer, !(isSearch && settings.countsFaces) {
            let seen = finding(viewer: tracker.advance(known), among: known)
            return (settings.tracksAll ? seen : FaceFinding(face: seen.face, faceCount: max(last.faceCount, 1)), false)
        }
        let faces = try search.faces(thorough: isSearch, known: known)
        let viewer = tracker.advance(faces)
        if isSearch {
            let interval = viewer == nil ? settings.searchIntervalSeconds : settings.countIntervalSeconds
            nextSearchNanoseconds = ptsNanoseconds.later(bySeconds: interval)
        } else if viewer == nil {
            // Just lost: a search for a small face need not wait for the next count.
            nextSearchNanoseconds = min(
                nextSearchNanoseconds, ptsNanoseconds.later(bySeconds: settings.searchIntervalSeconds))
        }
        return (finding(viewer: viewer, among: faces), true)
    }

    /// The faces to look at from near, the viewer's first.
    private var knownFaces: [DetectedFace] {
        let viewer = tracker.viewer.map { [$0] } ?? []
        return settings.tracksAll ? viewer + numbering.present.filter { $0 != tracker.viewer } : viewer
    }

    private func finding(viewer: DetectedFace?, among faces: [DetectedFace]) -> FaceFinding {
        guard settings.tracksAll else { return FaceFinding(face: viewer.map { TrackedFace($0) }, faceCount: faces.count) }
        let numbered = zip(faces, numbering.advance(faces)).map { TrackedFace($0, number: $1) }
        let position = faces.firstIndex { $0 == viewer }
        return FaceFinding(
            face: position.map { numbered[$0] }, others: numbered.indices.filter { $0 != position }.map { numbered[$0] },
            faceCount: faces.count)
    }

    private func isStill(_ face: TrackedFace?, since former: TrackedFace?) -> Bool {
        guard let face = face?.box, let former = former?.box else { return false }
        let reach = settings.stillReach * face.sizePixels
        return abs(face.centreX - former.centreX) < reach && abs(face.centreY - former.centreY) < reach
            && abs(face.sizePixels - former.sizePixels) < reach
    }
}

extension Int64 {
    /// This media time, in nanoseconds, and so many seconds; the latest there is if that is too much.
    func later(bySeconds seconds: Double) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(Int64(seconds * 1e9))
        return overflow ? .max : sum
    }
}

/// What `FaceFinder` found in one frame.
public struct FaceFinding: Sendable, Equatable {
    /// The main viewer; nil if not in this frame.
    public var face: TrackedFace?
    /// The other faces, with `FaceFinderSettings.tracksAll`; else none.
    public var others: [TrackedFace]
    /// How many faces there are, others included. Between searches of the whole picture this is the number of the last one.
    public var faceCount: Int

    public init(face: TrackedFace?, others: [TrackedFace] = [], faceCount: Int) {
        self.face = face
        self.others = others
        self.faceCount = faceCount
    }
}

/// A face that is followed, in pixels of the upright picture.
public struct TrackedFace: Sendable, Equatable {
    /// The detector's box, upright.
    public var box: RotatedRectangle
    /// 0 to 1.
    public var detectorScore: Double
    /// nil with the Haar cascade.
    public var keypoints: FaceKeypoints?
    /// Kept by the same person through a segment, from 1; nil without `FaceFinderSettings.tracksAll`.
    public var number: Int?

    public init(box: RotatedRectangle, detectorScore: Double, keypoints: FaceKeypoints?, number: Int? = nil) {
        self.box = box
        self.detectorScore = detectorScore
        self.keypoints = keypoints
        self.number = number
    }

    init(_ face: DetectedFace, number: Int? = nil) {
        self.init(box: face.box, detectorScore: face.score, keypoints: face.keypoints, number: number)
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
    /// From one look to the next at a face that moves, or while there is none, in seconds of media time. At 30 frames/s every
    /// second frame is looked at: in 67 ms a face moves by less than training pictures are misaligned.
    public var lookIntervalSeconds = 0.06
    /// Likewise at a face that has kept still since the look before.
    public var stillLookIntervalSeconds = 0.16
    /// A face keeps still if from one look to the next its centre and its size change by less than this share of its size.
    public var stillReach = 0.03
    /// From one search of the whole picture, corner to corner, to the next, while no face is known, s.
    public var searchIntervalSeconds = 0.3
    /// Likewise while the viewer is known: to count the faces beside the viewer's.
    public var countIntervalSeconds = 0.5
    /// Whether other faces than the viewer's matter: without, they are not looked for while the viewer is known.
    public var countsFaces = true
    /// Whether the other faces are followed too, each with a number: as often as the viewer's, and so each at the viewer's cost.
    public var tracksAll = false
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

    /// Looks for nobody but the viewer, and less often: for whoever follows a face through a filter of its own.
    public static var viewerOnly: FaceFinderSettings {
        var settings = FaceFinderSettings()
        settings.countsFaces = false
        settings.lookIntervalSeconds = 0.09
        settings.stillLookIntervalSeconds = 0.19
        return settings
    }
}
