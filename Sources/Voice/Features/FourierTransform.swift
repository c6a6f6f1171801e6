import CFFTW
import Foundation

/// A real Fourier transform of a fixed size, with its own buffers (FFTW, single precision).
final class FourierTransform {
    let size: Int
    /// Fill these `size` values, then call `run`.
    let input: UnsafeMutableBufferPointer<Float>
    /// `size / 2 + 1` complex values, real and imaginary parts interleaved.
    let output: UnsafeMutableBufferPointer<Float>
    private let plan: fftwf_plan

    /// FFTW's planner is not thread-safe, only the execution of plans is.
    private static let planner = NSLock()

    /// - Throws: `VoiceError` when FFTW cannot plan this size, or there is no memory.
    init(size: Int) throws(VoiceError) {
        guard size > 0, let input = fftwf_alloc_real(size), let output = fftwf_alloc_complex(size / 2 + 1) else {
            throw VoiceError(.unusableModel, "no memory for a Fourier transform of \(size) samples")
        }
        // Estimated, never measured: measuring picks its algorithm by the clock, and so its rounding.
        Self.planner.lock()
        let plan = fftwf_plan_dft_r2c_1d(Int32(size), input, output, FFTW_ESTIMATE)
        Self.planner.unlock()
        guard let plan else { throw VoiceError(.unusableModel, "FFTW cannot plan a transform of \(size) samples") }
        self.size = size
        self.input = UnsafeMutableBufferPointer(start: input, count: size)
        let reals = UnsafeMutableRawPointer(output).assumingMemoryBound(to: Float.self)
        self.output = UnsafeMutableBufferPointer(start: reals, count: 2 * (size / 2 + 1))
        self.plan = plan
    }

    deinit {
        Self.planner.withLock { fftwf_destroy_plan(plan) }
        fftwf_free(input.baseAddress)
        fftwf_free(output.baseAddress)
    }

    func run() { fftwf_execute(plan) }
}
