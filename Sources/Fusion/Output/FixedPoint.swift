/// Numbers as text with a fixed count of digits after the point, the same on every machine: `1.2000`, `-0.5000`, never
/// `-0.0000`, never an exponent.
enum FixedPoint {
    /// Rounds half away from zero. Nil where a number is not finite, or too large for its digits to mean anything.
    static func text(_ value: Double, digits: Int) -> String? {
        let scale = (0..<digits).reduce(Int64(1)) { scale, _ in scale * 10 }
        let scaled = (value * Double(scale)).rounded(.toNearestOrAwayFromZero)
        guard let units = Int64(exactly: scaled), abs(scaled) < 9e15 else { return nil }
        return text(units: units, digits: digits, scale: scale)
    }

    /// Seconds with three digits. Exact integer arithmetic, so that where a window ends and the next starts, both
    /// print alike.
    static func seconds(nanoseconds: Int64) -> String {
        let milliseconds = nanoseconds / 1_000_000 + (nanoseconds % 1_000_000 >= 500_000 ? 1 : 0)
        return text(units: milliseconds, digits: 3, scale: 1000)
    }

    private static func text(units: Int64, digits: Int, scale: Int64) -> String {
        let magnitude = units.magnitude
        let whole = "\(units < 0 ? "-" : "")\(magnitude / UInt64(scale))"
        guard digits > 0 else { return whole }
        let fraction = "\(magnitude % UInt64(scale))"
        return whole + "." + String(repeating: "0", count: max(0, digits - fraction.count)) + fraction
    }
}

/// How many digits files have.
enum Digits {
    static let probability = 4
    static let share = 4
    static let heartRate = 1
    static let level = 1
    static let windows = 1
}
