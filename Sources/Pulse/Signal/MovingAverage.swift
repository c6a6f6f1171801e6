/// Running means.
public enum MovingAverage {
    /// The mean of `width` samples around each one, the signal continued by its mirror image at both ends (the edge
    /// sample itself is not repeated): SciPy's `uniform_filter1d(signal, width, mode="mirror")`.
    ///
    /// An even width takes one sample more before than after: `signal[i - width/2 ... i + width/2 - 1]`.
    ///
    /// - Parameter width: At least 1 and at most the length of the signal.
    /// - Throws: `PulseError.tooShort`, `PulseError.invalidSettings`.
    public static func mirrored(_ signal: [Double], width: Int) throws(PulseError) -> [Double] {
        guard width >= 1 else { throw .invalidSettings("a moving average of \(width) samples") }
        guard signal.count >= width else { throw .tooShort(samples: signal.count, needed: width) }
        let count = signal.count
        func mirroredSample(_ index: Int) -> Double {
            if index < 0 { return signal[-index] }
            return index < count ? signal[index] : signal[2 * (count - 1) - index]
        }
        // Each mean is summed anew: a running sum would carry rounding from one end of the signal to the other.
        return signal.indices.map { index in
            var sum = 0.0
            for offset in -(width / 2)..<(width - width / 2) { sum += mirroredSample(index + offset) }
            return sum / Double(width)
        }
    }

    /// The mean of the samples within `reach` on both sides, fewer at the ends of the signal.
    static func centred(_ signal: [Double], reach: Int) -> [Double] {
        var sums = [0.0]
        sums.reserveCapacity(signal.count + 1)
        for value in signal { sums.append(sums[sums.count - 1] + value) }
        return signal.indices.map { index in
            let (from, to) = (max(0, index - reach), min(signal.count, index + reach + 1))
            return (sums[to] - sums[from]) / Double(to - from)
        }
    }
}
