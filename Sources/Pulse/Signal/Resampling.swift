/// Signals with irregular times, brought onto a uniform grid.
public enum Resampling {
    /// Linear interpolation; before the first and after the last time the end values hold (NumPy's `interp`).
    ///
    /// - Parameters:
    ///   - values: One for each of `timesSeconds`, which rise strictly.
    ///   - firstSeconds: The time of the first point of the grid.
    ///   - count: The number of points.
    ///   - rateHz: Points in a second.
    /// - Throws: `PulseError.tooShort` without samples, `PulseError.wrongLength` unless each time has a value.
    public static func interpolate(
        _ values: [Double], timesSeconds: [Double], firstSeconds: Double, count: Int, rateHz: Double
    ) throws(PulseError) -> [Double] {
        guard let lastValue = values.last else { throw .tooShort(samples: 0, needed: 1) }
        guard values.count == timesSeconds.count else {
            throw .wrongLength(samples: values.count, needed: timesSeconds.count)
        }
        var next = 0
        return (0..<max(0, count)).map { point in
            let time = firstSeconds + Double(point) / rateHz
            while next < timesSeconds.count, timesSeconds[next] <= time { next += 1 }
            if next == 0 { return values[0] }
            if next == timesSeconds.count { return lastValue }
            let (before, after) = (timesSeconds[next - 1], timesSeconds[next])
            let slope = (values[next] - values[next - 1]) / (after - before)
            return slope * (time - before) + values[next - 1]
        }
    }

    /// The mean of the samples near each point of the grid, weighted by a triangle.
    ///
    /// The triangle is as wide as the spacing of the samples or of the grid, whichever is wider: samples that are as
    /// dense as the grid or sparser are interpolated linearly (when evenly spaced), denser ones are averaged, so that a
    /// camera of 60 frames a second loses no light. A point without a sample in reach is interpolated linearly.
    public static func average(
        _ values: [Double], timesSeconds: [Double], firstSeconds: Double, count: Int, rateHz: Double
    ) throws(PulseError) -> [Double] {
        var points = try interpolate(
            values, timesSeconds: timesSeconds, firstSeconds: firstSeconds, count: count, rateHz: rateHz)
        guard let first = timesSeconds.first, let last = timesSeconds.last, timesSeconds.count > 1 else { return points }
        let spacing = (last - first) / Double(timesSeconds.count - 1)
        guard spacing < 0.75 / rateHz else { return points }

        let reach = 1 / rateHz
        var start = 0
        for point in points.indices {
            let time = firstSeconds + Double(point) / rateHz
            while start < timesSeconds.count, timesSeconds[start] <= time - reach { start += 1 }
            var (sum, weights) = (0.0, 0.0)
            var index = start
            while index < timesSeconds.count, timesSeconds[index] < time + reach {
                let weight = 1 - abs(timesSeconds[index] - time) / reach
                sum += weight * values[index]
                weights += weight
                index += 1
            }
            if weights > 0 { points[point] = sum / weights }
        }
        return points
    }
}
