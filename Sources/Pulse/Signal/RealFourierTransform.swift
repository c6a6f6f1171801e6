import CFFTW
import Synchronization

/// The discrete Fourier transform of a real signal of a fixed length, by FFTW in double precision.
///
/// The plan is estimated, not measured, so that it is the same in every run and equal inputs give equal bits.
final class RealFourierTransform: @unchecked Sendable {
    // Unchecked: FFTW allows one plan to be executed by several threads at once on different arrays; only making and
    // destroying plans needs the lock.
    private static let planner = Mutex(())

    let length: Int
    private let plan: fftw_plan

    /// - Parameter length: At least 1.
    /// - Throws: `PulseError.invalidSettings` if FFTW cannot plan it (a length below 1, or no memory).
    init(length: Int) throws(PulseError) {
        guard length > 0, let size = Int32(exactly: length) else {
            throw .invalidSettings("a Fourier transform of \(length) samples")
        }
        var input = [Double](repeating: 0, count: length)
        var output = [fftw_complex](repeating: (0, 0), count: length / 2 + 1)
        let plan = Self.planner.withLock { _ in
            // FFTW_UNALIGNED: arrays of any alignment may follow, and the arithmetic does not depend on it.
            Unplanned(fftw_plan_dft_r2c_1d(size, &input, &output, UInt32(FFTW_ESTIMATE) | UInt32(FFTW_UNALIGNED)))
        }
        guard let plan = plan.value else {
            throw .invalidSettings("FFTW cannot plan a transform of \(length) samples")
        }
        self.length = length
        self.plan = plan
    }

    deinit {
        let plan = Unplanned(plan)
        Self.planner.withLock { _ in fftw_destroy_plan(plan.value) }
    }

    /// The first `length / 2 + 1` bins, unnormalised: `X[k] = sum x[n] exp(-2 pi i k n / length)`.
    ///
    /// - Parameter signal: Cut or padded with zeros to `length` samples.
    func transform(_ signal: [Double]) -> (real: [Double], imaginary: [Double]) {
        var input = [Double](repeating: 0, count: length)
        for index in 0..<min(length, signal.count) { input[index] = signal[index] }
        var output = [Double](repeating: 0, count: 2 * (length / 2 + 1))
        output.withUnsafeMutableBytes { bytes in
            guard let bins = bytes.bindMemory(to: fftw_complex.self).baseAddress else { return }
            fftw_execute_dft_r2c(plan, &input, bins)
        }
        return (
            stride(from: 0, to: output.count, by: 2).map { output[$0] },
            stride(from: 1, to: output.count, by: 2).map { output[$0] }
        )
    }

    /// Lets the pointer pass into the lock's closure.
    private struct Unplanned: @unchecked Sendable {
        let value: fftw_plan?
        init(_ value: fftw_plan?) { self.value = value }
    }
}
