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

    public init(settings: SpeechGateSettings, sampleRateHz: Int) {
        self.settings = settings
        joinSamples = settings.joinSeconds * Double(sampleRateHz)
        shortestSpeechSamples = settings.shortestSpeechSeconds * Double(sampleRateHz)
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
        guard let longest = stretches.indices.max(by: { stretches[$0].count < stretches[$1].count || (stretches[$0].count == stretches[$1].count && $0 > $1) }),
            Double(stretches[longest].count) >= shortestSpeechSamples
        else { return .skipped(.tooShort) }

        guard spread(of: levels[runs[longest]]) >= settings.leastSpreadDB else { return .skipped(.steadyNoise) }
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

    /// Distance in dB between two percentiles of the levels, each the nearest rank.
    private func spread(of levels: ArraySlice<Float>) -> Float {
        let sorted = levels.sorted()
        func level(_ percentile: Float) -> Float {
            let rank = (percentile / 100 * Float(sorted.count - 1)).rounded()
            return sorted[min(max(0, Int(rank)), sorted.count - 1)]
        }
        // A frame of digital silence between words is no louder than the quietest 16-bit noise (-96 dBFS).
        let quietest: Float = 1.6e-5
        return 20 * log10f(max(level(settings.spreadPercentiles.upperBound), quietest) / max(level(settings.spreadPercentiles.lowerBound), quietest))
    }
}
