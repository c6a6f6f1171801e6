import COpenBLAS
import Foundation

/// Mel-frequency cepstral coefficients of a window's speech, as librosa computes them.
///
/// The speech part is repeated until it fills the window; then `librosa.feature.mfcc` with the settings' numbers.
public final class CepstralExtractor {
    /// Coefficients, frames: 40 x 282 by default; images are row-major in this shape.
    public let shape: [Int]

    private let settings: CepstralSettings
    private let spectrogram: PowerSpectrogram
    private let melFilters: [Float]
    private let cosines: [Float]
    private var filled: [Float]
    private var power: [Float]
    private var mel: [Float]

    /// - Parameter windowSamples: length of the windows to come.
    public init(settings: CepstralSettings, sampleRateHz: Int, windowSamples: Int) throws(VoiceError) {
        guard settings.isValid, windowSamples >= settings.transformSize else {
            throw VoiceError(.unusableModel, "MFCC settings out of range: \(settings)")
        }
        self.settings = settings
        // The products are small: threads would cost more than they save, and could change the order of sums.
        openblas_set_num_threads(1)
        let frames = windowSamples / settings.hopSamples + 1
        spectrogram = try PowerSpectrogram(
            transformSize: settings.transformSize, window: SpectralFilters.hamming(settings.windowSamples),
            hopSamples: settings.hopSamples, frameCount: frames, padding: .zeros)
        melFilters = SpectralFilters.mel(
            bands: settings.melBands, transformSize: settings.transformSize, sampleRateHz: sampleRateHz)
        cosines = SpectralFilters.cosineTransform(rows: settings.coefficients, columns: settings.melBands)
        filled = [Float](repeating: 0, count: windowSamples)
        power = [Float](repeating: 0, count: frames * spectrogram.binCount)
        mel = [Float](repeating: 0, count: frames * settings.melBands)
        shape = [settings.coefficients, frames]
    }

    /// - Returns: the coefficients in dB-scale units, `shape[0] * shape[1]` values, not yet normalised.
    public func extract(_ window: UnsafeBufferPointer<Float>, speech: Range<Int>) -> [Float] {
        let part = speech.clamped(to: 0..<window.count)
        guard !part.isEmpty else { return [Float](repeating: 0, count: shape[0] * shape[1]) }
        fill(from: UnsafeBufferPointer(rebasing: window[part]))

        let (frames, bins, bands) = (spectrogram.frameCount, spectrogram.binCount, settings.melBands)
        filled.withUnsafeBufferPointer { samples in
            power.withUnsafeMutableBufferPointer { spectrogram.compute(samples, into: $0) }
        }
        cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasTrans, blasint(frames), blasint(bands), blasint(bins),
            1, power, blasint(bins), melFilters, blasint(bins), 0, &mel, blasint(bands))
        toDecibels()
        var coefficients = [Float](repeating: 0, count: shape[0] * shape[1])
        cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasTrans, blasint(shape[0]), blasint(frames), blasint(bands),
            1, cosines, blasint(bands), mel, blasint(bands), 0, &coefficients, blasint(frames))
        return coefficients
    }

    /// Repeats the speech until the window is full.
    private func fill(from speech: UnsafeBufferPointer<Float>) {
        var next = 0
        for i in filled.indices {
            filled[i] = speech[next]
            next += 1
            if next == speech.count { next = 0 }
        }
    }

    /// `librosa.power_to_db(ref=1)`: no lower than `settings.rangeDB` below the loudest.
    private func toDecibels() {
        var loudest = -Float.infinity
        for i in mel.indices {
            mel[i] = 10 * log10f(max(mel[i], 1e-10))
            loudest = max(loudest, mel[i])
        }
        let floor = loudest - settings.rangeDB
        for i in mel.indices { mel[i] = max(mel[i], floor) }
    }
}

/// Numbers of the MFCC; the defaults are the original system's.
public struct CepstralSettings: Sendable, Equatable, Codable {
    public var coefficients = 40
    /// n_fft.
    public var transformSize = 1024
    /// win_length, Hamming, centred in the transform.
    public var windowSamples = 512
    public var hopSamples = 512
    public var melBands = 128
    /// top_db.
    public var rangeDB: Float = 80

    public init() {}

    var isValid: Bool {
        (2...65_536).contains(transformSize) && (1...transformSize).contains(windowSamples)
            && (1...65_536).contains(hopSamples) && (1...1024).contains(melBands) && (1...melBands).contains(coefficients)
            && rangeDB > 0
    }
}
