import Media

/// The mean colour of skin over time, on a uniform grid.
public struct ColourTrace: Sendable, Equatable {
    /// Points in a second.
    public var rateHz: Double
    /// 0...255, equally many each.
    public var red, green, blue: [Double]
    /// The face at each point, for networks: the picture of the frame that is nearest in time. Empty, or as many as points.
    public var pictures: [RGBImage] = []

    public init(rateHz: Double, red: [Double], green: [Double], blue: [Double], pictures: [RGBImage] = []) {
        self.rateHz = rateHz
        self.red = red
        self.green = green
        self.blue = blue
        self.pictures = pictures
    }

    public var count: Int { red.count }
}
