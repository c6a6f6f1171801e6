import COpenBLAS
import Foundation

/// Finds the speech in one window by its level: the longest stretch that is loud against the window's maximum, loud at
/// all, long enough, and uneven enough not to be steady noise.
public final class SpeechGate {
    public enum Finding: Sendable, Equatable {
        /// Bounds in samples, within the window.
        case speech(Range<Int>)
        case skipped(SkipReason)
    }

    private let settings: SpeechGateSettings
    private let joinSamples: Double
    private let shortestSpeechSamples: Double
    private let neighbourhoodFrames: Int

    public init(settings: SpeechGateSettings, sampleRateHz: Int) {
        self.settings = settings
        joinSamples = settings.joinSeconds * Double(sampleRateHz)
        shortestSpeechSamples = settings.shortestSpeechSeconds * Double(sampleRateHz)
        let frames = settings.neighbourhoodSeconds * Double(sampleRateHz) / Double(max(1, settings.frameHopSamples))
        neighbourhoodFrames = Int(min(max(1, frames), 10_000).rounded())
    }

    /// - Parameter audibleSamples: how much of the window, from its start, is audio; the rest is padding. All by default.
    public func find(in window: UnsafeBufferPointer<Float>, audibleSamples: Int? = nil) -> Finding {
        let levels = frameLevels(of: window)
        let floor = powf(10, settings.floorDBFS / 20)
        let threshold = max(settings.relativeThreshold * (levels.max() ?? 0), floor)
        let runs = joined(runs(in: levels, above: threshold))
        guard !runs.isEmpty else { return .skipped(.silence) }

        let audible = min(audibleSamples ?? window.count, window.count)
        let stretches = runs.map { samples(of: $0, limit: audible) }
        let longestCount = stretches.map(\.count).max() ?? 0
        guard Double(longestCount) >= shortestSpeechSamples, let longest = stretches.firstIndex(where: { $0.count == longestCount })
        else { return .skipped(.tooShort) }

        guard fluctuation(of: levels[runs[longest]]) >= settings.leastFluctuationDB else { return .skipped(.steadyNoise) }
        return .speech(stretches[longest])
    }

    /// RMS of each frame, as `librosa.feature.rms(center=True)`: frame `f` is centred on sample `f * frameHopSamples`, and
    /// what lies outside the window counts as zero. `1 + count / frameHopSamples` values.
    package func frameLevels(of window: UnsafeBufferPointer<Float>) -> [Float] {
        let half = settings.frameSamples / 2
        return (0...window.count / settings.frameHopSamples).map { frame in
            let centre = frame * settings.frameHopSamples
            let (first, end) = (max(0, centre - half), min(window.count, centre - half + settings.frameSamples))
            guard first < end, let base = window.baseAddress else { return 0 }
            let energy = cblas_sdot(blasint(end - first), base + first, 1, base + first, 1)
            return (energy / Float(settings.frameSamples)).squareRoot()
        }
    }

    /// Whether any frame is louder than the absolute floor.
    func exceedsFloor(_ window: UnsafeBufferPointer<Float>) -> Bool {
        (frameLevels(of: window).max() ?? 0) > powf(10, settings.floorDBFS / 20)
    }

    private func runs(in levels: [Float], above threshold: Float) -> [Range<Int>] {
        var runs: [Range<Int>] = []
        var start: Int?
        for (frame, level) in levels.enumerated() {
            if level > threshold {
                start = start ?? frame
            } else if let first = start {
                runs.append(first..<frame)
                start = nil
            }
        }
        if let first = start { runs.append(first..<levels.count) }
        return runs
    }

    private func joined(_ runs: [Range<Int>]) -> [Range<Int>] {
        runs.reduce(into: []) { joined, run in
            if let last = joined.last, Double((run.lowerBound - last.upperBound) * settings.frameHopSamples) < joinSamples {
                joined[joined.count - 1] = last.lowerBound..<run.upperBound
            } else {
                joined.append(run)
            }
        }
    }

    /// The convention of `librosa.effects.split`: from the first frame's centre to the centre of the frame after the last.
    private func samples(of run: Range<Int>, limit: Int) -> Range<Int> {
        let start = min(run.lowerBound * settings.frameHopSamples, limit)
        return start..<max(start, min(run.upperBound * settings.frameHopSamples, limit))
    }

    /// How much the levels fluctuate, in dB: the distance between two percentiles (nearest rank) of the levels, each less
    /// the mean of its neighbourhood, so that slow swells do not count.
    private func fluctuation(of levels: ArraySlice<Float>) -> Float {
        // A frame of digital silence between words is no louder than the quietest 16-bit noise (-96 dBFS).
        let quietest: Float = 1.6e-5
        let decibels = levels.map { 20 * log10f(max($0, quietest)) }
        let reach = neighbourhoodFrames / 2
        let deviations = decibels.indices.map { frame in
            let sum = (frame - reach...frame + reach).reduce(Float(0)) { sum, neighbour in
                sum + decibels[min(max(0, neighbour), decibels.count - 1)]
            }
            return decibels[frame] - sum / Float(2 * reach + 1)
        }.sorted()
        func level(_ percentile: Float) -> Float {
            let rank = (percentile / 100 * Float(deviations.count - 1)).rounded()
            return deviations[min(max(0, Int(rank)), deviations.count - 1)]
        }
        return level(settings.fluctuationPercentiles.upperBound) - level(settings.fluctuationPercentiles.lowerBound)
    }
}
