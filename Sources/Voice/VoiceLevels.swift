import COpenBLAS
import Foundation

/// Mean power in dB, 0 dBFS being a constant 1; -120 for digital silence.
func decibelsFullScale(_ samples: UnsafeBufferPointer<Float>) -> Float {
    guard let base = samples.baseAddress, !samples.isEmpty else { return -120 }
    let energy = cblas_sdot(blasint(samples.count), base, 1, base, 1)
    return max(-120, 10 * log10f(max(energy / Float(samples.count), 1e-12)))
}
