import Foundation

/// A way to get a blood volume wave from the colour of skin.
public protocol PulseMethod: Sendable {
    /// The wave, as many points as the trace: rising where there is more blood (and so less light), without slow
    /// trends, in shares of the mean colour.
    ///
    /// - Throws: `PulseError.tooShort` if the trace is shorter than the method's window.
    func wave(of trace: ColourTrace) throws(PulseError) -> [Double]
}

/// The methods by name.
public enum PulseMethodName: String, Sendable, Codable, CaseIterable {
    case pos, chrom, green, red

    public var method: any PulseMethod {
        switch self {
        case .pos: PlaneOrthogonalToSkin()
        case .chrom: ChrominanceMethod()
        case .green: SingleChannel(.green)
        case .red: SingleChannel(.red)
        }
    }
}

/// POS: the colour variation projected on a plane orthogonal to the skin tone, in which intensity changes vanish.
///
/// Wang, den Brinker, Stuijk and de Haan, "Algorithmic principles of remote PPG", IEEE Trans. Biomed. Eng. 64 (2017),
/// algorithm 1, with its sign turned.
public struct PlaneOrthogonalToSkin: PulseMethod {
    /// 1.6 s in the paper: a beat or more at 40 bpm.
    public var windowSeconds = 1.6

    public init() {}

    public func wave(of trace: ColourTrace) throws(PulseError) -> [Double] {
        let window = Int((windowSeconds * trace.rateHz).rounded(.up))
        guard window > 1, trace.count >= window else { throw .tooShort(samples: trace.count, needed: max(2, window)) }
        var wave = [Double](repeating: 0, count: trace.count)
        var (first, second) = ([Double](repeating: 0, count: window), [Double](repeating: 0, count: window))
        for start in 0...(trace.count - window) {
            let range = start..<start + window
            let (red, green, blue) = (mean(trace.red[range]), mean(trace.green[range]), mean(trace.blue[range]))
            guard red > 0, green > 0, blue > 0 else { continue }
            for index in 0..<window {
                let r = trace.red[start + index] / red
                let g = trace.green[start + index] / green
                let b = trace.blue[start + index] / blue
                first[index] = g - b
                second[index] = g + b - 2 * r
            }
            let spread = standardDeviation(second[...])
            let ratio = spread > 0 ? standardDeviation(first[...]) / spread : 0
            let middle = mean(first[...]) + ratio * mean(second[...])
            for index in 0..<window {
                wave[start + index] -= first[index] + ratio * second[index] - middle
            }
        }
        // The overlapping windows were added; at the ends there are fewer of them.
        for index in wave.indices {
            let overlaps = min(index, trace.count - window) - max(0, index - window + 1) + 1
            wave[index] /= Double(overlaps)
        }
        return wave
    }
}

/// CHROM: two chrominance signals, combined so that specular reflection cancels.
///
/// De Haan and Jeanne, "Robust pulse rate from chrominance-based rPPG", IEEE Trans. Biomed. Eng. 60 (2013). The
/// channels are normalised by a running mean and the chrominance band-passed over the whole trace,
/// then weighed anew in every window; Hann windows overlap by half.
public struct ChrominanceMethod: PulseMethod {
    public var windowSeconds = 1.6
    public var lowHz = 0.7
    public var highHz = 4.0

    public init() {}

    public func wave(of trace: ColourTrace) throws(PulseError) -> [Double] {
        let half = Int((windowSeconds * trace.rateHz / 2).rounded(.up))
        guard half > 0, trace.count >= 2 * half else { throw .tooShort(samples: trace.count, needed: 2 * half) }
        let red = relative(trace.red, reach: half)
        let green = relative(trace.green, reach: half)
        let blue = relative(trace.blue, reach: half)
        let filter = try ButterworthBandPass(order: 3, lowHz: lowHz, highHz: highHz, sampleRateHz: trace.rateHz)
        let x = try filter.filterZeroPhase(red.indices.map { 3 * red[$0] - 2 * green[$0] })
        let y = try filter.filterZeroPhase(red.indices.map { 1.5 * red[$0] + green[$0] - 1.5 * blue[$0] })

        var wave = [Double](repeating: 0, count: trace.count)
        // Starting half a window early, so that every point lies in two windows, whose weights add up to 1.
        for start in stride(from: -half, to: trace.count, by: half) {
            let range = max(0, start)..<min(trace.count, start + 2 * half)
            let spread = standardDeviation(y[range])
            let ratio = spread > 0 ? standardDeviation(x[range]) / spread : 0
            for index in range {
                let weight = hann(index - start, of: 2 * half)
                wave[index] += weight * (x[index] - ratio * y[index])
            }
        }
        return wave
    }
}

/// One colour channel against its running mean, its sign turned: green for a face (Verkruysse, Svaasand and Nelson, Opt. Express 16
/// (2008)), red for a finger on the lens, where the light goes through.
public struct SingleChannel: PulseMethod {
    public enum Channel: Sendable { case red, green, blue }
    public var channel: Channel
    /// Half the length of the running mean, s.
    public var reachSeconds = 1.0

    public init(_ channel: Channel) {
        self.channel = channel
    }

    public func wave(of trace: ColourTrace) throws(PulseError) -> [Double] {
        let reach = Int((reachSeconds * trace.rateHz).rounded(.up))
        guard trace.count > reach else { throw .tooShort(samples: trace.count, needed: reach + 1) }
        let values =
            switch channel {
            case .red: trace.red
            case .green: trace.green
            case .blue: trace.blue
            }
        return relative(values, reach: reach).map { -$0 }
    }
}

/// The share by which each value differs from the mean of those around it; 0 where that mean is not above 0.
private func relative(_ values: [Double], reach: Int) -> [Double] {
    zip(values, MovingAverage.centred(values, reach: reach)).map { value, mean in mean > 0 ? value / mean - 1 : 0 }
}

/// The periodic Hann window: two of them, half a window apart, add up to 1.
private func hann(_ index: Int, of count: Int) -> Double {
    0.5 - 0.5 * cos(2 * .pi * Double(index) / Double(count))
}

func mean(_ values: ArraySlice<Double>) -> Double {
    values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count)
}

/// Of the values as a whole population (divided by their number).
func standardDeviation(_ values: ArraySlice<Double>) -> Double {
    guard !values.isEmpty else { return 0 }
    let middle = mean(values)
    return (values.reduce(0) { $0 + ($1 - middle) * ($1 - middle) } / Double(values.count)).squareRoot()
}
