import COpenBLAS
import Foundation

/// Whisper's front end: the window at 16 kHz, its log-mel image, and which of its steps are speech.
///
/// Equal to `whisper.log_mel_spectrogram` of the resampled window (without Whisper's padding to 30 s). Windows of one stream
/// that overlap share what they have in common; the result is the same, bit for bit, as without.
public final class LogMelExtractor {
    /// Mel bands, frames: 80 x 300 by default; images are row-major in this shape.
    public let shape: [Int]
    /// Steps that the encoder makes of the frames (its second convolution has stride 2), each with a speech weight.
    public let stepCount: Int

    private let settings: LogMelSettings
    private let windowSamples: Int
    private let decimator: Decimator
    private let spectrogram: PowerSpectrogram
    private let filters: [SpectralFilters.Band]
    private var power: [Float]
    // Of the window before this one:
    private var previousStart: Int64?
    private var samples: [Float]
    /// log10 of the mel spectrum, frame after frame, before the floor.
    private var logMel: [Float]

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
        filters = SpectralFilters.melBands(
            bands: settings.melBands, transformSize: settings.transformSize, sampleRateHz: settings.sampleRateHz)
        power = [Float](repeating: 0, count: frames * spectrogram.binCount)
        self.samples = [Float](repeating: 0, count: samples)
        logMel = [Float](repeating: 0, count: frames * settings.melBands)
        shape = [settings.melBands, frames]
        stepCount = (frames + 1) / 2
    }

    /// - Parameter startSample: the window's place in its stream, if the window given before is of the same stream; nil: it
    ///   has nothing to do with the one before.
    /// - Returns: `shape[0] * shape[1]` values, about -1 to 1.5, lower for quiet windows.
    public func extract(_ window: UnsafeBufferPointer<Float>, startSample: Int64? = nil) -> [Float] {
        for frames in updateSamples(window, startSample: startSample) { compute(frames) }
        let (bands, frames) = (shape[0], shape[1])
        let floor = (logMel.max() ?? 0) - settings.rangeBels
        return [Float](unsafeUninitializedCapacity: bands * frames) { image, count in
            for frame in 0..<frames {
                for band in 0..<bands { image[band * frames + frame] = (max(logMel[frame * bands + band], floor) + 4) / 4 }
            }
            count = bands * frames
        }
    }

    /// Resamples what is new in a window, and moves the frames that it shares with the one before to their new places.
    /// Returns the frames that must be computed.
    private func updateSamples(_ window: UnsafeBufferPointer<Float>, startSample: Int64?) -> [Range<Int>] {
        let (frames, bands, count) = (shape[1], shape[0], samples.count)
        let moved = startSample.flatMap { start in previousStart.map { start - $0 } } ?? 0
        previousStart = startSample
        let frameSamples = settings.hopSamples * decimator.factor
        // What lies near a window's edges knows of the silence outside: that much is not shared.
        let edge = decimator.edgeCount
        let firstWhole = (edge + settings.transformSize / 2 + settings.hopSamples - 1) / settings.hopSamples
        let lastWhole = (count - edge - settings.transformSize / 2) / settings.hopSamples
        guard moved > 0, moved % Int64(frameSamples) == 0, let shift = Int(exactly: moved / Int64(frameSamples)),
            firstWhole + shift < lastWhole
        else {
            decimator.decimate(window, 0..<count, into: &samples)
            return [0..<frames]
        }
        let shiftedSamples = shift * settings.hopSamples
        let shared = edge..<count - shiftedSamples - edge
        samples.withUnsafeMutableBufferPointer { samples in
            guard let base = samples.baseAddress else { return }
            (base + shared.lowerBound).update(from: base + shared.lowerBound + shiftedSamples, count: shared.count)
        }
        decimator.decimate(window, 0..<shared.lowerBound, into: &samples)
        decimator.decimate(window, shared.upperBound..<count, into: &samples)
        let whole = firstWhole..<lastWhole - shift + 1
        logMel.withUnsafeMutableBufferPointer { logMel in
            guard let base = logMel.baseAddress else { return }
            (base + whole.lowerBound * bands).update(from: base + (whole.lowerBound + shift) * bands, count: whole.count * bands)
        }
        return [0..<whole.lowerBound, whole.upperBound..<frames]
    }

    private func compute(_ frames: Range<Int>) {
        let (bands, bins) = (shape[0], spectrogram.binCount)
        samples.withUnsafeBufferPointer { samples in
            power.withUnsafeMutableBufferPointer { spectrogram.compute(samples, frames: frames, into: $0) }
        }
        power.withUnsafeBufferPointer { power in
            for frame in frames {
                for (band, filter) in filters.enumerated() {
                    // One order of sums, whatever else is computed with it.
                    var sum: Float = 0
                    var bin = frame * bins + filter.firstBin
                    for weight in filter.weights {
                        sum += weight * power[bin]
                        bin += 1
                    }
                    logMel[frame * bands + band] = log10f(max(sum, 1e-10))
                }
            }
        }
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
    let factor: Int
    /// So many samples of the output at either end depend on what lies outside the window.
    let edgeCount: Int
    private let taps: [Float]
    private let halfLength: Int
    private var padded: [Float]

    /// The cut-off is 0.95 of the new Nyquist frequency; Kaiser's window with beta 8 rejects aliases by 80 dB.
    init(factor: Int, halfLength: Int, inputCount: Int) {
        self.factor = factor
        self.halfLength = halfLength
        edgeCount = (halfLength + factor - 1) / factor
        taps = Self.lowPass(cutoff: 0.95 / Double(factor), halfLength: halfLength, beta: 8)
        padded = [Float](repeating: 0, count: inputCount + 2 * halfLength)
    }

    /// - Parameters:
    ///   - samples: as many as `inputCount` said.
    ///   - positions: which samples of the output to compute.
    func decimate(_ samples: UnsafeBufferPointer<Float>, _ positions: Range<Int>, into output: inout [Float]) {
        let from = max(0, positions.lowerBound * factor - halfLength)
        let to = min(samples.count, padded.count - 2 * halfLength, positions.upperBound * factor + halfLength)
        padded.withUnsafeMutableBufferPointer { padded in
            guard let base = padded.baseAddress, let source = samples.baseAddress, from < to else { return }
            (base + halfLength + from).update(from: source + from, count: to - from)
            for position in positions {
                output[position] = cblas_sdot(blasint(taps.count), base + position * factor, 1, taps, 1)
            }
        }
    }

    /// As `scipy.signal.firwin(2 * halfLength + 1, cutoff, window=("kaiser", beta))`, with unit gain at 0 Hz.
    /// - Parameter cutoff: as a share of the input's Nyquist frequency.
    static func lowPass(cutoff: Double, halfLength: Int, beta: Double) -> [Float] {
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
