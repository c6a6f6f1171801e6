import Media

#if canImport(Glibc)
import Glibc
#endif

/// The surface of a face as 468 points, numbered as MediaPipe numbers them.
public struct FaceMesh: Sendable, Equatable {
    public static let pointCount = 468
    /// A mesh of less presence is not believed: MediaPipe's limit.
    public static let leastPresence = 0.5

    /// `pointCount` points in the pixels of the upright picture, whatever the face's rotation.
    public var points: [FaceMeshPoint]
    /// How sure the network is that it was shown a face, placed about right, 0 to 1.
    public var presence: Double

    public init(points: [FaceMeshPoint], presence: Double) {
        self.points = points
        self.presence = presence
    }

    /// - Parameters:
    ///   - raw: x, y and z of each point in pixels of the network's input, which shows `area`; as many as the network has.
    package init(raw: [Float], presence: Double, area: RotatedRectangle) {
        let size = Double(FaceMeshNetwork.inputSize)
        let cosine = cos(area.angleRadians)
        let sine = sin(area.angleRadians)
        points = (0..<Self.pointCount).map { index in
            let u = (Double(raw[3 * index]) / size - 0.5) * area.width
            let v = (Double(raw[3 * index + 1]) / size - 0.5) * area.height
            return FaceMeshPoint(
                x: area.centreX + u * cosine - v * sine, y: area.centreY + u * sine + v * cosine,
                z: Double(raw[3 * index + 2]) / size * area.width)
        }
        self.presence = presence
    }
}

/// A point of a face in the picture and in depth.
public struct FaceMeshPoint: Sendable, Equatable {
    /// In pixels: to the right, and down, from the upper left corner of the upper left pixel.
    public var x: Double
    public var y: Double
    /// In pixels of the same size, away from the camera; 0 is about the middle of the head. The network guesses it from how
    /// faces look: it is not measured.
    public var z: Double

    public init(x: Double, y: Double, z: Double) {
        self.x = x
        self.y = y
        self.z = z
    }
}
