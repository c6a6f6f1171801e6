import COpenBLAS

/// Removes the polynomial of a given degree that fits a signal best (least squares).
///
/// The polynomials are orthonormal on the sample positions, built by the Arnoldi process with every new one made
/// orthogonal twice (Brubeck, Nakatsukasa and Trefethen, "Vandermonde with Arnoldi", SIAM Review 2021). In powers of
/// the time, or in Legendre polynomials solved as normal equations, a degree of 50 is out of reach of double precision.
public struct PolynomialDetrend: Sendable {
    public let sampleCount: Int
    public let degree: Int
    /// `degree + 1` rows of `sampleCount`.
    private let basis: [[Double]]

    /// - Parameters:
    ///   - sampleCount: The length of the signals, more than `degree`.
    ///   - degree: 0 removes the mean, 1 also the slope, and so on.
    /// - Throws: `PulseError.invalidSettings`.
    public init(sampleCount: Int, degree: Int) throws(PulseError) {
        guard degree >= 0, sampleCount > degree, let columns = Int32(exactly: sampleCount) else {
            throw .invalidSettings("a polynomial of degree \(degree) through \(sampleCount) samples")
        }
        let positions = (0..<sampleCount).map { index in
            sampleCount == 1 ? 0 : 2 * Double(index) / Double(sampleCount - 1) - 1
        }
        var basis = [[Double](repeating: 1 / Double(sampleCount).squareRoot(), count: sampleCount)]
        for _ in 0..<degree {
            guard let last = basis.last else { break }
            let next = Self.rest(of: zip(positions, last).map { $0 * $1 }, beside: basis)
            let norm = cblas_dnrm2(columns, next, 1)
            basis.append(next.map { $0 / norm })
        }
        self.sampleCount = sampleCount
        self.degree = degree
        self.basis = basis
    }

    /// - Parameter signal: `sampleCount` samples.
    /// - Throws: `PulseError.wrongLength`.
    public func detrend(_ signal: [Double]) throws(PulseError) -> [Double] {
        guard signal.count == sampleCount else {
            throw .wrongLength(samples: signal.count, needed: sampleCount)
        }
        return Self.rest(of: signal, beside: basis)
    }

    /// What is left of a signal when its parts along the rows are taken off, twice: what rounding leaves of a large trend
    /// after the first pass goes in the second.
    ///
    /// Row by row, by dot products: OpenBLAS would spread a matrix product over threads, and the last bits of the sums
    /// would depend on how many there are.
    private static func rest(of signal: [Double], beside rows: [[Double]]) -> [Double] {
        let count = Int32(clamping: signal.count)
        var rest = signal
        for _ in 0..<2 {
            for row in rows {
                cblas_daxpy(count, -cblas_ddot(count, row, 1, rest, 1), row, 1, &rest, 1)
            }
        }
        return rest
    }
}
