import COpenCV
import Media

/// OpenCV's Haar cascade, the detector of the original system: 20 times slower than BlazeFace and blind to turned heads;
/// here for comparisons.
///
/// As in the original: scale 1.12 and, where that finds nothing, scale 1.02; 9 neighbours. One thread at a time.
public final class HaarCascade {
    /// Larger pictures are shrunk to this on their longer side, or scale 1.02 would take seconds.
    public static let longestSidePixels = 640
    private static let scaleFactors = [1.12, 1.02]
    private static let neighbourCount: Int32 = 9
    private static let faceLimit = 64

    private let cascade: OpaquePointer

    /// - Parameter path: OpenCV's `haarcascade_frontalface_default.xml` (Debian: opencv-data).
    public init(contentsOf path: String) throws(HaarCascadeError) {
        guard let cascade = adreact_cascade_load(path) else {
            throw HaarCascadeError(
                path: path, detail: "not a Haar cascade that OpenCV can read; Debian's opencv-data holds one")
        }
        self.cascade = cascade
    }

    deinit {
        adreact_cascade_free(cascade)
    }

    /// The faces in a picture, in its pixels: the largest first.
    ///
    /// - Throws: `HaarCascadeError` if OpenCV fails, or what `picture` throws.
    public func faces(in picture: some PictureSource) throws -> [DetectedFace] {
        let longest = max(picture.width, picture.height, 1)
        let shrink = min(1, Double(Self.longestSidePixels) / Double(longest))
        let width = max(1, Int((Double(picture.width) * shrink).rounded()))
        let height = max(1, Int((Double(picture.height) * shrink).rounded()))
        let whole = RotatedRectangle(
            centreX: Double(picture.width) / 2, centreY: Double(picture.height) / 2, width: Double(picture.width),
            height: Double(picture.height), angleRadians: 0)
        let grey = GreyImage(try picture.crop(whole, outputWidth: width, outputHeight: height))
        for scaleFactor in Self.scaleFactors {
            let boxes = try boxes(in: grey, scaleFactor: scaleFactor)
            guard boxes.isEmpty else {
                return boxes.map { DetectedFace($0, scaleX: whole.width / Double(width), scaleY: whole.height / Double(height)) }
            }
        }
        return []
    }

    /// - Parameter scaleFactor: From one size of window to the next, above 1.
    package func boxes(in grey: GreyImage, scaleFactor: Double) throws(HaarCascadeError) -> [adreact_box] {
        var boxes = [adreact_box](repeating: adreact_box(), count: Self.faceLimit)
        let count = grey.pixels.withUnsafeBufferPointer { pixels in
            adreact_cascade_detect(
                cascade, pixels.baseAddress, Int32(grey.width), Int32(grey.height), scaleFactor, Self.neighbourCount,
                &boxes, Int32(Self.faceLimit))
        }
        guard count >= 0 else {
            throw HaarCascadeError(path: "picture of \(grey.width) x \(grey.height) pixels", detail: "OpenCV cannot search it")
        }
        // OpenCV's order depends on its threads.
        return boxes.prefix(Int(count)).sorted { ($1.width, $0.y, $0.x) < ($0.width, $1.y, $1.x) }
    }
}

/// Why the Haar cascade could not be loaded or run.
public struct HaarCascadeError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file or picture concerned.
    public let path: String
    public let detail: String

    public var description: String { "\(path): \(detail)" }
}

extension DetectedFace {
    fileprivate init(_ box: adreact_box, scaleX: Double, scaleY: Double) {
        let width = Double(box.width) * scaleX
        let height = Double(box.height) * scaleY
        self.init(
            box: RotatedRectangle(
                centreX: Double(box.x) * scaleX + width / 2, centreY: Double(box.y) * scaleY + height / 2, width: width,
                height: height, angleRadians: 0),
            score: 1, keypoints: nil)
    }
}
