import Foundation

/// The beats of a recording, and how much their intervals vary: what only a wave over tens of seconds can tell.
///
/// ```swift
/// let beats = try HeartBeats(of: clips, settings: settings)
/// print(beats.intervals.map(\.milliseconds), beats.rmssdMilliseconds)
/// ```
///
/// A beat is where the pulse wave rises most steeply: of all marks on the wave (foot, top, steepest rise) the one that
/// noise moves least. Measured on Welltory's recordings: `Models/training/pulse_evaluation.md`.
public struct HeartBeats: Sendable, Equatable {
    /// From one beat to the next.
    public struct Interval: Sendable, Equatable {
        /// When the second of the two beats was.
        public var endSeconds: Double
        public var milliseconds: Double
    }

    /// Without those that are no beat to the next: where one was missed, or noise was taken for one.
    public let intervals: [Interval]
    /// The standard deviation of the intervals (SDNN); nil if unknown, and always where the skin was seen from afar.
    public let sdnnMilliseconds: Double?
    /// The root mean square of the differences of neighbouring intervals (RMSSD); nil where SDNN is.
    public let rmssdMilliseconds: Double?
    /// How far SDNN and RMSSD can be believed, 0...1: the clips' confidence times the share of intervals that are sound.
    public let confidence: Double
    /// Set exactly when SDNN and RMSSD are nil.
    public let unknownReason: PulseUnknownReason?

    /// SDNN and RMSSD need so many seconds of intervals.
    public static let leastVariabilitySeconds = 20.0
    /// Below this confidence they are unknown.
    public static let leastConfidence = 0.5
    /// The share of the intervals that must be sound.
    static let leastSoundShare = 0.8
    /// An interval that differs by more than this share from the median of those around it is no beat to the next.
    static let longestDeviation = 0.3

    /// - Parameter clips: of one recording, in order.
    /// - Throws: `PulseError` for settings that make no sense.
    public init(of clips: [PulseClip], settings: PulseSettings) throws(PulseError) {
        let known = clips.filter { $0.heartRateBPM != nil }
        var intervals: [Interval] = []
        var steps: [Double] = []
        var foundCount = 0
        for stretch in Self.stretches(of: known, settings) {
            let detector = BeatDetector(heartRateBPM: stretch.heartRateBPM)
            let beats = try detector.beats(in: stretch.wave, rateHz: settings.gridRateHz)
            let found = zip(beats.dropFirst(), beats).map { $0 - $1 }
            let sound = found.indices.map { Self.isSound(found, at: $0) }
            foundCount += found.count
            for index in found.indices where sound[index] {
                intervals.append(Interval(endSeconds: stretch.startSeconds + beats[index + 1], milliseconds: 1000 * found[index]))
                if index > 0, sound[index - 1] { steps.append(1000 * (found[index] - found[index - 1])) }
            }
        }
        self.intervals = intervals
        let soundShare = foundCount > 0 ? Double(intervals.count) / Double(foundCount) : 0
        let meanConfidence = known.isEmpty ? 0 : known.reduce(0) { $0 + $1.confidence } / Double(known.count)
        confidence = meanConfidence * soundShare
        let seconds = intervals.reduce(0) { $0 + $1.milliseconds } / 1000
        // From afar, at a camera's frame rate, a heart as steady as a clock seems to vary by some 45 ms.
        let isRemote = known.contains { $0.estimate?.isContact == false }
        let reason: PulseUnknownReason? = isRemote ? .weakSignal
            : seconds < Self.leastVariabilitySeconds || steps.count < 2 ? .tooShort
            : soundShare < Self.leastSoundShare ? .unsteady : confidence < Self.leastConfidence ? .weakSignal : nil
        unknownReason = reason
        let lengths = intervals.map(\.milliseconds)
        // Of a sample (divided by one less than its number), as in Task Force of the ESC and NASPE, Circulation 93 (1996).
        sdnnMilliseconds = reason == nil
            ? standardDeviation(lengths[...]) * (Double(lengths.count) / Double(lengths.count - 1)).squareRoot() : nil
        rmssdMilliseconds = reason == nil ? (steps.reduce(0) { $0 + $1 * $1 } / Double(steps.count)).squareRoot() : nil
    }

    private static func isSound(_ intervals: [Double], at index: Int) -> Bool {
        let around = intervals[max(0, index - 3)...min(intervals.count - 1, index + 3)].sorted()
        let median = around[around.count / 2]
        return abs(intervals[index] - median) <= longestDeviation * median
    }
}

extension HeartBeats {
    /// A wave without a break.
    private struct Stretch {
        var startSeconds: Double
        var wave: [Double]
        var heartRateBPM: Double
    }

    /// The waves of the clips, which overlap, as one: each sample from the clip in the middle of which it lies. Clips that
    /// do not end on the grid (the last one of a recording) are left out.
    private static func stretches(of clips: [PulseClip], _ settings: PulseSettings) -> [Stretch] {
        var nearest: [Int: (distance: Int, value: Double, rate: Double)] = [:]
        for clip in clips {
            guard let wave = clip.estimate?.wave, let rate = clip.heartRateBPM else { continue }
            let end = Double(clip.endNanoseconds) / 1e9 * settings.gridRateHz
            guard abs(end - end.rounded()) < 1e-6 else { continue }
            let first = Int(end.rounded()) - wave.count
            for (index, value) in wave.enumerated() {
                let distance = abs(2 * index - wave.count)
                if let known = nearest[first + index], known.distance <= distance { continue }
                nearest[first + index] = (distance, value, rate)
            }
        }
        var stretches: [(positions: [Int], rates: [Double])] = []
        for position in nearest.keys.sorted() {
            if let last = stretches.last?.positions.last, position == last + 1 {
                stretches[stretches.count - 1].positions.append(position)
            } else {
                stretches.append(([position], []))
            }
            stretches[stretches.count - 1].rates.append(nearest[position]?.rate ?? 0)
        }
        return stretches.map { stretch in
            Stretch(
                startSeconds: Double(stretch.positions[0]) / settings.gridRateHz,
                wave: stretch.positions.compactMap { nearest[$0]?.value },
                heartRateBPM: stretch.rates.sorted()[stretch.rates.count / 2])
        }
    }
}

/// Finds beats in a pulse wave: the steepest rises, not closer to each other than half a beat.
public struct BeatDetector: Sendable {
    /// Of the wave, roughly: beats twice as fast are not looked for.
    public var heartRateBPM: Double
    /// The band in which a beat's rise lies.
    public var lowHz = 0.7
    public var highHz = 4.0
    /// The least time from beat to beat, in mean beats.
    public var leastIntervalShare = 0.55
    /// A rise of less than this share of the steep ones (their 95th percentile) is none.
    public var leastRiseShare = 0.3

    public init(heartRateBPM: Double) { self.heartRateBPM = heartRateBPM }

    /// - Parameter wave: rising where there is more blood; any unit.
    /// - Returns: Seconds from the wave's first sample, ascending, finer than the samples.
    /// - Throws: `PulseError.tooShort`, `PulseError.invalidSettings`.
    public func beats(in wave: [Double], rateHz: Double) throws(PulseError) -> [Double] {
        let filter = try ButterworthBandPass(order: 2, lowHz: lowHz, highHz: min(highHz, 0.45 * rateHz), sampleRateHz: rateHz)
        let narrow = try filter.filterZeroPhase(wave)
        // To an even height: a finger that presses harder makes a smaller wave.
        let power = MovingAverage.centred(narrow.map { $0 * $0 }, reach: Int(rateHz))
        let even = zip(narrow, power).map { $0 / (($1 > 0 ? $1 : 1).squareRoot()) }
        var rise = [Double](repeating: 0, count: even.count)
        for index in 1..<max(1, even.count - 1) { rise[index] = (even[index + 1] - even[index - 1]) / 2 }
        let sorted = rise.sorted()
        guard let steep = sorted.isEmpty ? nil : sorted[(sorted.count - 1) * 95 / 100], steep > 0 else { return [] }
        let distance = Int(leastIntervalShare * 60 / max(heartRateBPM, 1) * rateHz)
        return PeakFinder.peaks(rise, height: leastRiseShare * steep, distance: distance).map { peak in
            let (before, top, after) = (rise[peak - 1], rise[peak], rise[peak + 1])
            let bend = before - 2 * top + after
            return (Double(peak) + (bend < 0 ? 0.5 * (before - after) / bend : 0)) / rateHz
        }
    }
}
