/// Local maxima of a signal.
public enum PeakFinder {
    /// The samples that are higher than their neighbours; of a flat top, the middle (rounded down). The first and the
    /// last sample are no peaks. (SciPy's `find_peaks(signal)`.)
    public static func peaks(_ signal: [Double]) -> [Int] {
        var peaks: [Int] = []
        var index = 1
        while index < signal.count - 1 {
            if signal[index - 1] < signal[index] {
                var ahead = index + 1
                while ahead < signal.count - 1, signal[ahead] == signal[index] { ahead += 1 }
                if signal[ahead] < signal[index] {
                    peaks.append((index + ahead - 1) / 2)
                    index = ahead
                }
            }
            index += 1
        }
        return peaks
    }

    /// The peaks of at least this height that have no higher one within `distance` samples; of equal ones the later counts.
    /// (SciPy's `find_peaks(signal, height=..., distance=...)`.)
    public static func peaks(_ signal: [Double], height: Double, distance: Int) -> [Int] {
        let peaks = peaks(signal).filter { signal[$0] >= height }
        var isKept = [Bool](repeating: true, count: peaks.count)
        for index in peaks.indices.sorted(by: { (signal[peaks[$0]], $0) > (signal[peaks[$1]], $1) }) where isKept[index] {
            for other in peaks.indices where other != index && abs(peaks[other] - peaks[index]) < distance { isKept[other] = false }
        }
        return zip(peaks, isKept).filter(\.1).map(\.0)
    }

    /// The peaks that stand at least `prominence` above the higher of the two lowest points that separate them from
    /// higher ground on either side, or from the ends of the signal. (SciPy's `find_peaks(signal, prominence=...)`.)
    public static func peaks(_ signal: [Double], prominence: Double) -> [Int] {
        peaks(signal).filter { peak in
            func base(_ indices: some Sequence<Int>) -> Double {
                var lowest = signal[peak]
                for index in indices {
                    if signal[index] > signal[peak] { break }
                    lowest = min(lowest, signal[index])
                }
                return lowest
            }
            let left = base(stride(from: peak - 1, through: 0, by: -1))
            let right = base(peak + 1..<signal.count)
            return signal[peak] - max(left, right) >= prominence
        }
    }
}
