/// The mean colour of skin over time, on a uniform grid.
public struct ColourTrace: Sendable, Equatable {
    /// Points in a second.
    public var rateHz: Double
    /// 0...255, equally many each.
    public var red, green, blue: [Double]

    public init(rateHz: Double, red: [Double], green: [Double], blue: [Double]) {
        self.rateHz = rateHz
        self.red = red
        self.green = green
        self.blue = blue
    }

    public var count: Int { red.count }
}
