/// Short-time power spectra, as `abs(librosa.stft(...)) ** 2`: frames centred on multiples of the hop.
final class PowerSpectrogram {
    enum Padding { case zeros, reflection }

    let frameCount: Int
    let binCount: Int
    private let hopSamples: Int
    private let padding: Padding
    /// The window, centred in the transform's size.
    private let window: [Float]
    private let transform: FourierTransform

    /// - Parameters:
    ///   - window: at most `transformSize` values.
    ///   - frameCount: how many frames, from the one centred on the first sample.
    init(transformSize: Int, window: [Float], hopSamples: Int, frameCount: Int, padding: Padding) throws(VoiceError) {
        transform = try FourierTransform(size: transformSize)
        let before = (transformSize - window.count) / 2
        self.window =
            [Float](repeating: 0, count: before) + window
            + [Float](repeating: 0, count: transformSize - window.count - before)
        self.hopSamples = hopSamples
        self.frameCount = frameCount
        self.padding = padding
        binCount = transformSize / 2 + 1
    }

    /// - Parameters:
    ///   - frames: which to compute; all by default.
    ///   - power: `frameCount * binCount` values, one frame after the other, of which these frames' are set.
    func compute(
        _ samples: UnsafeBufferPointer<Float>, frames: Range<Int>? = nil, into power: UnsafeMutableBufferPointer<Float>
    ) {
        let (size, count) = (transform.size, samples.count)
        let (input, output) = (transform.input, transform.output)
        for frame in frames ?? 0..<frameCount {
            let first = frame * hopSamples - size / 2
            if first >= 0 && first + size <= count {
                for i in 0..<size { input[i] = samples[first + i] * window[i] }
            } else {
                for i in 0..<size { input[i] = padded(samples, at: first + i) * window[i] }
            }
            transform.run()
            let row = frame * binCount
            for bin in 0..<binCount {
                let (real, imaginary) = (output[2 * bin], output[2 * bin + 1])
                power[row + bin] = real * real + imaginary * imaginary
            }
        }
    }

    private func padded(_ samples: UnsafeBufferPointer<Float>, at position: Int) -> Float {
        if samples.indices.contains(position) { return samples[position] }
        guard padding == .reflection else { return 0 }
        let mirrored = position < 0 ? -position : 2 * (samples.count - 1) - position
        return samples.indices.contains(mirrored) ? samples[mirrored] : 0
    }
}
