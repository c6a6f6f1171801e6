import Media

/// A grey picture, row by row.
public struct GreyImage: Sendable, Equatable {
    public let width: Int
    public let height: Int
    /// `width * height` values, 0 black to 255 white.
    public let pixels: [UInt8]

    /// The luma of ITU-R BT.601, rounded: the grey of JPEG files, of OpenCV and of PIL, and so of the training pictures.
    public init(_ image: RGBImage) {
        width = image.width
        height = image.height
        let count = image.width * image.height
        pixels = image.pixels.withUnsafeBufferPointer { rgb in
            [UInt8](unsafeUninitializedCapacity: count) { grey, initializedCount in
                for index in 0..<count {
                    let red = UInt32(rgb[3 * index])
                    let green = UInt32(rgb[3 * index + 1])
                    let blue = UInt32(rgb[3 * index + 2])
                    // 0.299, 0.587 and 0.114 in units of 2^-16; they add up to 1, so grey stays what it is.
                    grey[index] = UInt8(truncatingIfNeeded: (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16)
                }
                initializedCount = count
            }
        }
    }
}
