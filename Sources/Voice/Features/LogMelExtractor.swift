import COpenBLAS
import Foundation

/// Whisper's front end: the window at 16 kHz, its log-mel image, and which of its steps are speech.
///
/// Equal to `whisper.log_mel_spectrogram` of the resampled window (without Whisper's padding to 30 s).
public final class LogMelExtractor {
    /// Mel bands, frames: 80 x 300 by default; images are row-major in this shape.
    public let shape: [Int]
    /// Steps that the encoder makes of the frames (its second convolution has stride 2), each with a speech weight.
    public let stepCount: Int

    private let settings: LogMelSettings
    private let windowSamples: Int
    private let decimator: Decimator
    private let spectrogram: PowerSpectrogram
    private let melFilters: [Float]
    private var power: [Float]

    /// - Parameter windowSamples: length of the windows to come, at `sampleRateHz`, a multiple of the encoder's rate.
    public init(settings: LogMelSettings, sampleRateHz: Int, windowSamples: Int) throws(VoiceError) {
        guard settings.isValid, sampleRateHz % settings.sampleRateHz == 0 else {
            throw VoiceError(.unusableModel, "log-mel settings out of range: \(settings)")
        }
        let factor = sampleRateHz / settings.sampleRateHz
        let samples = windowSamples / factor
        let frames = samples / settings.hopSamples
        guard samples > settings.transformSize, frames >= 2 else {
            throw VoiceError(.unusableModel, "windows of \(windowSamples) samples are too short for log-mel frames of \(settings.transformSize)")
        }
        openblas_set_num_threads(1)
        self.settings = settings
        self.windowSamples = windowSamples
        decimator = Decimator(factor: factor, halfLength: settings.resamplerHalfLength, inputCount: windowSamples)
        spectrogram = try PowerSpectrogram(
            transformSize: settings.transformSize, window: SpectralFilters.hann(settings.transformSize),
            hopSamples: settings.hopSamples, frameCount: frames, padding: .reflection)
        melFilters = SpectralFilters.mel(
            bands: settings.melBands, transformSize: settings.transformSize, sampleRateHz: settings.sampleRateHz)
        power = [Float](repeating: 0, count: frames * spectrogram.binCount)
        shape = [settings.melBands, frames]
        stepCount = (frames + 1) / 2
    }

    /// - Returns: `shape[0] * shape[1]` values, about -1 to 1.5, lower for quiet windows.
    public func extract(_ window: UnsafeBufferPointer<Float>) -> [Float] {
        let samples = decimator.decimate(window)
        samples.withUnsafeBufferPointer { samples in
            power.withUnsafeMutableBufferPointer { spectrogram.compute(samples, into: $0) }
        }
        let (bands, frames, bins) = (shape[0], shape[1], spectrogram.binCount)
        var image = [Float](repeating: 0, count: bands * frames)
        cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasTrans, blasint(bands), blasint(frames), blasint(bins),
            1, melFilters, blasint(bins), power, blasint(bins), 0, &image, blasint(frames))
        var loudest = -Float.infinity
        for i in image.indices {
            image[i] = log10f(max(image[i], 1e-10))
            loudest = max(loudest, image[i])
        }
        let floor = loudest - settings.rangeBels
        for i in image.indices { image[i] = (max(image[i], floor) + 4) / 4 }
        return image
    }

    /// The share of the speech that lies in each step of the encoder: `stepCount` weights that add up to 1.
    public func speechWeights(of speech: Range<Int>) -> [Float] {
        let samplesPerStep = Double(windowSamples) / Double(stepCount)
        let part = speech.clamped(to: 0..<windowSamples)
        guard !part.isEmpty else { return [Float](repeating: 1 / Float(stepCount), count: stepCount) }
        return (0..<stepCount).map { step in
            let start = max(Double(step) * samplesPerStep, Double(part.lowerBound))
            let end = min(Double(step + 1) * samplesPerStep, Double(part.upperBound))
            return Float(max(0, end - start) / Double(part.count))
        }
    }
}

/// Numbers of Whisper's front end; the defaults are those that its weights were trained with.
public struct LogMelSettings: Sendable, Equatable, Codable {
    public var sampleRateHz = 16_000
    /// n_fft, and the length of its Hann window.
    public var transformSize = 400
    public var hopSamples = 160
    public var melBands = 80
    /// How far below the loudest value the image reaches, in log10 of power.
    public var rangeBels: Float = 8
    /// Samples of the anti-aliasing filter on each side, at the input's rate.
    public var resamplerHalfLength = 120

    public init() {}

    var isValid: Bool {
        (8000...48_000).contains(sampleRateHz) && (2...65_536).contains(transformSize) && (1...65_536).contains(hopSamples)
            && (1...1024).contains(melBands) && rangeBels > 0 && (1...4096).contains(resamplerHalfLength)
    }
}

/// Keeps every n-th sample of a window after a low-pass filter: a windowed sinc, symmetric, so without delay.
/// What lies outside the window counts as zero.
final class Decimator {
    private let factor: Int
    private let taps: [Float]
    private let halfLength: Int
    private var padded: [Float]
    private var output: [Float]

    /// The cut-off is 0.95 of the new Nyquist frequency; Kaiser's window with beta 8 rejects aliases by 80 dB.
    init(factor: Int, halfLength: Int, inputCount: Int) {
        self.factor = factor
        self.halfLength = halfLength
        taps = Self.lowPass(cutoff: 0.95 / Double(factor), halfLength: halfLength, beta: 8)
        padded = [Float](repeating: 0, count: inputCount + 2 * halfLength)
        output = [Float](repeating: 0, count: inputCount / factor)
    }

    /// - Parameter samples: as many as `inputCount` said.
    func decimate(_ samples: UnsafeBufferPointer<Float>) -> [Float] {
        for i in 0..<min(samples.count, padded.count - 2 * halfLength) { padded[halfLength + i] = samples[i] }
        padded.withUnsafeBufferPointer { padded in
            guard let base = padded.baseAddress else { return }
            for i in output.indices {
                output[i] = cblas_sdot(blasint(taps.count), base + i * factor, 1, taps, 1)
            }
        }
        return output
    }

    /// As `scipy.signal.firwin(2 * halfLength + 1, cutoff, window=("kaiser", beta))`, with unit gain at 0 Hz.
    /// - Parameter cutoff: as a share of the input's Nyquist frequency.
    private static func lowPass(cutoff: Double, halfLength: Int, beta: Double) -> [Float] {
        let taps = (-halfLength...halfLength).map { n -> Double in
            let x = Double(n)
            let sinc = n == 0 ? cutoff : sin(.pi * cutoff * x) / (.pi * x)
            let edge = x / Double(halfLength)
            return sinc * besselI0(beta * (1 - edge * edge).squareRoot()) / besselI0(beta)
        }
        let sum = taps.reduce(0, +)
        return taps.map { Float($0 / sum) }
    }

    /// Modified Bessel function of the first kind, order 0, by its power series.
    private static func besselI0(_ x: Double) -> Double {
        var (sum, term) = (1.0, 1.0)
        for k in 1...60 {
            term *= (x / 2 / Double(k)) * (x / 2 / Double(k))
            sum += term
        }
        return sum
    }
}
