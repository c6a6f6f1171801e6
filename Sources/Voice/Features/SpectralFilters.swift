import Foundation

/// Windows and filter banks, computed in double precision and rounded once.
enum SpectralFilters {
    /// Periodic Hamming window, as `scipy.signal.get_window("hamming", count)`.
    static func hamming(_ count: Int) -> [Float] {
        (0..<count).map { Float(0.54 - 0.46 * cos(2 * .pi * Double($0) / Double(count))) }
    }

    /// Periodic Hann window, as `torch.hann_window(count)`.
    static func hann(_ count: Int) -> [Float] {
        (0..<count).map { Float(0.5 - 0.5 * cos(2 * .pi * Double($0) / Double(count))) }
    }

    /// Triangular mel filters of equal area on Slaney's scale, as `librosa.filters.mel(htk=False, norm="slaney")` from 0 Hz
    /// to half the sample rate. Row-major, `bands` rows of `transformSize / 2 + 1`.
    static func mel(bands: Int, transformSize: Int, sampleRateHz: Int) -> [Float] {
        let binCount = transformSize / 2 + 1
        let top = melFromHz(Double(sampleRateHz) / 2)
        let edgesHz = (0..<bands + 2).map { hzFromMel(top * Double($0) / Double(bands + 1)) }
        var weights = [Float](repeating: 0, count: bands * binCount)
        for band in 0..<bands {
            let (low, centre, high) = (edgesHz[band], edgesHz[band + 1], edgesHz[band + 2])
            for bin in 0..<binCount {
                let frequency = Double(bin) * Double(sampleRateHz) / Double(transformSize)
                let slope = min((frequency - low) / (centre - low), (high - frequency) / (high - centre))
                weights[band * binCount + bin] = Float(max(0, slope) * 2 / (high - low))
            }
        }
        return weights
    }

    /// A mel band: the weights of the bins from `firstBin` on; outside they are 0.
    struct Band {
        var firstBin: Int
        var weights: [Float]
    }

    /// The same filters without their zeros, which are most of them.
    static func melBands(bands: Int, transformSize: Int, sampleRateHz: Int) -> [Band] {
        let binCount = transformSize / 2 + 1
        let all = mel(bands: bands, transformSize: transformSize, sampleRateHz: sampleRateHz)
        return (0..<bands).map { band in
            let row = all[band * binCount..<(band + 1) * binCount]
            let first = row.firstIndex { $0 > 0 } ?? row.startIndex
            let last = row.lastIndex { $0 > 0 } ?? row.startIndex
            return Band(firstBin: first - row.startIndex, weights: Array(row[first...last]))
        }
    }

    /// Orthonormal DCT-II, as `scipy.fft.dct(type=2, norm="ortho")`: the first `rows` coefficients of `columns` values.
    static func cosineTransform(rows: Int, columns: Int) -> [Float] {
        (0..<rows).flatMap { k in
            (0..<columns).map { n in
                let scale = k == 0 ? (1 / Double(columns)).squareRoot() : (2 / Double(columns)).squareRoot()
                return Float(scale * cos(.pi * Double(k) * (2 * Double(n) + 1) / (2 * Double(columns))))
            }
        }
    }

    // Slaney's mel scale (Auditory Toolbox, 1998): linear below 1 kHz, logarithmic above.
    private static let linearHzPerMel = 200.0 / 3
    private static let logStartHz = 1000.0
    private static let logStartMel = 15.0
    private static let logStep = log(6.4) / 27

    private static func melFromHz(_ hz: Double) -> Double {
        hz < logStartHz ? hz / linearHzPerMel : logStartMel + log(hz / logStartHz) / logStep
    }

    private static func hzFromMel(_ mel: Double) -> Double {
        mel < logStartMel ? mel * linearHzPerMel : logStartHz * exp(logStep * (mel - logStartMel))
    }
}
