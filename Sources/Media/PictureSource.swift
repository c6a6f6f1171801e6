import CFFmpeg
import Foundation

/// A picture that pieces can be read from.
public protocol PictureSource {
    /// Upright, in pixels.
    var width: Int { get }
    var height: Int { get }

    /// A piece as RGB, turned upright and brought to a size: averaged over the covered area when shrinking (every pixel
    /// counts), interpolated bilinearly when growing; black outside the picture.
    /// - Throws: `MediaError.Code.invalidRequest` for an area or output without size, or beyond 16384 pixels.
    func crop(_ area: RotatedRectangle, outputWidth: Int, outputHeight: Int) throws(MediaError) -> RGBImage
}

/// A picture whose colours can be measured where they lie.
public protocol MeasurablePicture: PictureSource {
    /// The mean colour over the pixels whose centres lie inside polygons. All edges count together by the even-odd
    /// rule: polygons may be concave, and one inside another is a hole.
    /// - Parameter polygons: corners in upright pixels; (0, 0) is the picture's top left corner, pixel i covers [i, i + 1).
    /// - Throws: `.invalidRequest` for coordinates that are not numbers.
    func meanColour(over polygons: [[(x: Double, y: Double)]]) throws(MediaError) -> MeanColour
}

/// An area of a picture, in upright pixels: pixel i covers [i, i + 1).
public struct RotatedRectangle: Sendable, Equatable, Codable {
    public var centreX: Double
    public var centreY: Double
    public var width: Double
    public var height: Double
    /// Clockwise as seen: the area's own x axis points this far below the picture's.
    public var angleRadians: Double

    public init(centreX: Double, centreY: Double, width: Double, height: Double, angleRadians: Double = 0) {
        self.centreX = centreX
        self.centreY = centreY
        self.width = width
        self.height = height
        self.angleRadians = angleRadians
    }

    /// A whole picture.
    public init(covering picture: some PictureSource) {
        let width = Double(picture.width), height = Double(picture.height)
        self.init(centreX: width / 2, centreY: height / 2, width: width, height: height)
    }
}

/// A mean over pixels; R, G and B as stored (gamma-encoded), 0-255, not rounded.
public struct MeanColour: Sendable, Equatable {
    public var red: Double
    public var green: Double
    public var blue: Double
    /// Pixels that the mean is over; 0: the colour says nothing.
    public var pixelCount: Int

    public init(red: Double, green: Double, blue: Double, pixelCount: Int) {
        self.red = red
        self.green = green
        self.blue = blue
        self.pixelCount = pixelCount
    }
}

/// Where upright positions, in square pixels, lie in the picture as it is stored.
struct QuarterTurn {
    let uprightWidth: Int
    let uprightHeight: Int

    private let degrees: Int
    /// Stored pixels in a square one, from left to right in the picture as it is stored.
    private let storedPerSquare: Double

    /// - Parameter degrees: Clockwise, from stored to upright.
    init(degrees: Int, storedWidth: Int, storedHeight: Int, pixelAspectRatio: Double = 1) {
        self.degrees = degrees
        let squareWidth = max(1, Int((Double(storedWidth) * pixelAspectRatio).rounded()))
        storedPerSquare = Double(storedWidth) / Double(squareWidth)
        let isOnItsSide = degrees == 90 || degrees == 270
        uprightWidth = isOnItsSide ? storedHeight : squareWidth
        uprightHeight = isOnItsSide ? squareWidth : storedHeight
    }

    func stored(_ x: Double, _ y: Double) -> (x: Double, y: Double) {
        let width = Double(uprightWidth), height = Double(uprightHeight)
        let turned =
            switch degrees {
            case 90: (x: y, y: width - x)
            case 180: (x: width - x, y: height - y)
            case 270: (x: height - y, y: x)
            default: (x: x, y: y)
            }
        return (turned.x * storedPerSquare, turned.y)
    }
}

extension adreact_picture {
    func crop(
        _ area: RotatedRectangle, outputWidth: Int, outputHeight: Int, turn: QuarterTurn
    ) throws(MediaError) -> RGBImage {
        let largest = 16384, farthest = 1e6
        let numbers = [area.centreX, area.centreY, area.width, area.height, area.angleRadians]
        guard numbers.allSatisfy({ $0.isFinite && abs($0) <= farthest }), area.width > 0, area.height > 0,
            (1...largest).contains(outputWidth), (1...largest).contains(outputHeight)
        else {
            throw MediaError(
                .invalidRequest, input: "crop", detail: "cannot bring \(area) to \(outputWidth) x \(outputHeight) pixels")
        }
        let cosine = cos(area.angleRadians), sine = sin(area.angleRadians)
        func stored(_ column: Double, _ row: Double) -> (x: Double, y: Double) {
            let u = (column / Double(outputWidth) - 0.5) * area.width, v = (row / Double(outputHeight) - 0.5) * area.height
            return turn.stored(area.centreX + u * cosine - v * sine, area.centreY + u * sine + v * cosine)
        }
        let origin = stored(0, 0)
        let right = stored(Double(outputWidth), 0), below = stored(0, Double(outputHeight))
        let columns = Double(outputWidth), rows = Double(outputHeight)
        let transform = [
            (right.x - origin.x) / columns, (below.x - origin.x) / rows, origin.x,
            (right.y - origin.y) / columns, (below.y - origin.y) / rows, origin.y,
        ]
        let count = outputWidth * outputHeight * 3
        var result: Int32 = 0
        let pixels = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            guard let start = buffer.baseAddress else { return }
            result = withUnsafePointer(to: self) {
                adreact_crop($0, transform, Int32(outputWidth), Int32(outputHeight), start)
            }
            initialized = result >= 0 ? count : 0
        }
        guard result >= 0 else { throw .outOfMemory("crop") }
        return RGBImage(uncheckedWidth: outputWidth, height: outputHeight, pixels: pixels)
    }

    func meanColour(
        over polygons: [[(x: Double, y: Double)]], turn: QuarterTurn
    ) throws(MediaError) -> MeanColour {
        let mostCorners = 1 << 20
        var points: [Double] = []
        for corner in polygons.joined() {
            guard corner.x.isFinite, corner.y.isFinite, points.count < 2 * mostCorners else {
                throw MediaError(.invalidRequest, input: "polygon", detail: "has a corner that is not a position, or too many")
            }
            let position = turn.stored(corner.x, corner.y)
            points.append(position.x)
            points.append(position.y)
        }
        let counts = polygons.map { Int32($0.count) }
        var mean = adreact_mean_colour()
        let result = withUnsafePointer(to: self) { adreact_measure_colour($0, points, counts, Int32(counts.count), &mean) }
        guard result >= 0 else { throw .outOfMemory("mean colour") }
        return MeanColour(red: mean.red, green: mean.green, blue: mean.blue, pixelCount: Int(mean.pixelCount))
    }
}
