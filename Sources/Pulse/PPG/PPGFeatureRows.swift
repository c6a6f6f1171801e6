/// The features of every second of a long wave, as training reads them.
public struct PPGFeatureRows: Sendable {
    /// Row after row: end of the second (s after the first sample), number of pulses, three channels.
    public private(set) var numbers: [Float] = []
    public let columnCount: Int

    /// Takes each second with the window before it, brings it to the camera's rate and extracts its features just as
    /// `PulseAnalyzer` and `PPGNetwork` do.
    ///
    /// - Parameters:
    ///   - timesSeconds: Rising.
    ///   - values: One for each time; higher where there is more blood.
    ///   - cameraRateHz: The rate of the grid that the wave is averaged onto.
    /// - Throws: `PulseError`.
    public init(
        timesSeconds: [Double], values: [Double], extractor: PPGFeatureExtractor, cameraRateHz: Double
    ) throws(PulseError) {
        let settings = extractor.settings
        columnCount = 2 + 3 * Int((settings.clipSeconds * settings.rateHz).rounded())
        guard let first = timesSeconds.first, let last = timesSeconds.last, timesSeconds.count == values.count,
            (10...1000).contains(cameraRateHz), last - first < 1e7
        else { throw .invalidSettings("features need a wave with a value for each time, and a camera of 10-1000 Hz") }
        let points = Int((settings.windowSeconds * cameraRateHz).rounded(.down))
        let gridTimes = (0..<points).map { Double($0 - points) / cameraRateHz }
        var from = 0
        var end = settings.windowSeconds
        while end <= last - first {
            while from < timesSeconds.count, timesSeconds[from] - first < end - settings.windowSeconds { from += 1 }
            var to = from
            while to < timesSeconds.count, timesSeconds[to] - first < end { to += 1 }
            if to > from {
                let grid = try Resampling.average(
                    Array(values[from..<to]), timesSeconds: timesSeconds[from..<to].map { $0 - first - end },
                    firstSeconds: gridTimes[0], count: points, rateHz: cameraRateHz)
                if let clip = try extractor.clip(values: grid, timesSeconds: gridTimes, endSeconds: 0) {
                    numbers.append(Float(end))
                    numbers.append(Float(clip.pulseCount))
                    numbers += try extractor.channels(of: clip.signal).map(Float.init)
                }
            }
            end += 1
        }
    }
}
