import Media

/// Some seconds of skin colour on a uniform grid, its pieces joined: what a heart rate is estimated from.
public struct SkinWindow: Sendable, Equatable {
    /// The mean over all regions, by their pixels.
    public var trace: ColourTrace
    /// One for each region; empty if there is one only.
    public var regionTraces: [ColourTrace]
    /// Whether this is all that was measured, not regions of a face.
    public var isWhole: Bool

    public init(trace: ColourTrace, regionTraces: [ColourTrace] = [], isWhole: Bool = false) {
        self.trace = trace
        self.regionTraces = regionTraces
        self.isWhole = isWhole
    }

    /// Whether this is a finger on the lens, lit through: then red far exceeds the other channels. A face in red light does so too,
    /// but is known to be a face.
    public var isContact: Bool {
        guard isWhole else { return false }
        let red = mean(trace.red[...])
        return red > 0 && mean(trace.green[...]) < 0.5 * red && mean(trace.blue[...]) < 0.5 * red
    }
}

extension SkinWindow {
    /// Brings samples onto the grid, or says why they will not do.
    ///
    /// - Parameters:
    ///   - samples: In the order of their times, all within the reach-back.
    ///   - endNanoseconds: The end of the window; it starts `reachBackSeconds` before, or later if the skin does.
    static func make(
        from samples: some BidirectionalCollection<SkinSample>, endNanoseconds: Int64, settings: PulseSettings
    ) throws(PulseError) -> Result<SkinWindow, Unusable> {
        var pieces = PieceJoiner()
        for sample in samples.reversed() {
            let age = Double(endNanoseconds &- sample.ptsNanoseconds) / 1e9
            guard pieces.add(sample, ageSeconds: age, longestGapSeconds: settings.longestGapSeconds) else { break }
        }
        let problem = pieces.mainProblem(longestGapSeconds: settings.longestGapSeconds).map(PulseUnknownReason.init)
        guard let latest = pieces.agesSeconds.first, let earliest = pieces.agesSeconds.last,
            latest <= settings.longestGapSeconds, earliest >= settings.minimumSeconds
        else { return .failure(Unusable(reason: problem ?? .tooShort)) }
        let usable = Double(pieces.agesSeconds.count)
        guard usable >= settings.leastUsableShare * Double(pieces.examinedBeforeEarliest) else {
            return .failure(Unusable(reason: problem ?? .tooShort))
        }
        // Times are whole nanoseconds, or milliseconds: a rate that is just the lowest comes out a little below it.
        guard (usable - 1) / (earliest - latest) >= 0.99 * settings.lowestFrameRateHz else {
            return .failure(Unusable(reason: .frameRateTooLow))
        }
        // From the first to the last sample, on grid points that are counted back from the end.
        let points = Int((min(earliest, settings.reachBackSeconds) * settings.gridRateHz).rounded(.down))
        let first = -Double(points) / settings.gridRateHz
        var traces: [(trace: ColourTrace, pixels: Int)] = []
        var isWhole = false
        for region in SkinRegion.allCases {
            if let trace = try pieces.trace(of: region, firstSeconds: first, count: points, rateHz: settings.gridRateHz) {
                traces.append(trace)
                isWhole = isWhole || region == .whole
            }
        }
        guard !traces.isEmpty else { return .failure(Unusable(reason: problem ?? .tooShort)) }
        let pixels = Double(traces.reduce(0) { $0 + $1.pixels })
        func weighed(_ channel: KeyPath<ColourTrace, [Double]>) -> [Double] {
            (0..<points).map { point in
                traces.reduce(0) { $0 + $1.trace[keyPath: channel][point] * Double($1.pixels) } / pixels
            }
        }
        let whole = ColourTrace(
            rateHz: settings.gridRateHz, red: weighed(\.red), green: weighed(\.green), blue: weighed(\.blue),
            pictures: pieces.pictures(firstSeconds: first, count: points, rateHz: settings.gridRateHz))
        return .success(SkinWindow(trace: whole, regionTraces: traces.count > 1 ? traces.map(\.trace) : [], isWhole: isWhole))
    }

    struct Unusable: Error {
        var reason: PulseUnknownReason
    }
}

/// Collects samples from the latest to the earliest, up to a break, and scales the older pieces to fit the newer ones.
private struct PieceJoiner {
    /// Of the usable samples, latest first.
    private(set) var agesSeconds: [Double] = []
    /// All samples from the earliest usable one on.
    private(set) var examinedBeforeEarliest = 0
    private var examined = 0
    private var regions: [SkinRegion: Series] = [:]
    private var problems: [SkinProblem: Int] = [:]
    /// Of the usable samples, latest first.
    private var pictures: [RGBImage?] = []
    private var lastAgeSeconds: Double?
    private var isBroken = false

    private struct Series {
        /// Latest first.
        var agesSeconds: [Double] = []
        var colours: [ColourMean] = []
        /// What earlier samples are multiplied by to continue later ones.
        var red = 1.0, green = 1.0, blue = 1.0
        var isBroken = false
    }

    /// The most frequent reason why samples could not be used, if that is what went wrong: if the latest ones could not be, or
    /// a fifth of all.
    func mainProblem(longestGapSeconds: Double) -> SkinProblem? {
        let count = problems.values.reduce(0, +)
        guard count > 0, agesSeconds.first ?? .infinity > longestGapSeconds || count * 5 >= examined else { return nil }
        return SkinProblem.allCases.max { (problems[$0] ?? 0) < (problems[$1] ?? 0) }
    }

    /// - Returns: false if nothing earlier can be joined.
    mutating func add(_ sample: SkinSample, ageSeconds: Double, longestGapSeconds: Double) -> Bool {
        examined += 1
        switch sample.outcome {
        case .unusable(let problem):
            problems[problem, default: 0] += 1
            return true
        case .usable(let colours):
            if isBroken || ageSeconds - (lastAgeSeconds ?? ageSeconds) > longestGapSeconds { return false }
            lastAgeSeconds = ageSeconds
            agesSeconds.append(ageSeconds)
            pictures.append(colours.picture)
            examinedBeforeEarliest = examined
            for (region, colour) in colours.regions { add(colour, of: region, ageSeconds: ageSeconds) }
            if let before = colours.regionsBeforeJump { join(colours.regions, to: before) }
            return true
        }
    }

    private mutating func add(_ colour: ColourMean, of region: SkinRegion, ageSeconds: Double) {
        var series = regions[region] ?? Series()
        guard !series.isBroken else { return }
        series.agesSeconds.append(ageSeconds)
        series.colours.append(
            ColourMean(
                red: colour.red * series.red, green: colour.green * series.green, blue: colour.blue * series.blue,
                pixelCount: colour.pixelCount))
        regions[region] = series
    }

    /// Whatever is earlier is scaled by (after the jump) / (before it).
    private mutating func join(_ after: [SkinRegion: ColourMean], to before: [SkinRegion: ColourMean]) {
        isBroken = before.isEmpty
        for region in regions.keys {
            guard let new = after[region], let old = before[region], old.red > 0, old.green > 0, old.blue > 0 else {
                regions[region]?.isBroken = true
                continue
            }
            regions[region]?.red *= new.red / old.red
            regions[region]?.green *= new.green / old.green
            regions[region]?.blue *= new.blue / old.blue
        }
    }

    /// The pictures that are nearest to the points of the grid; empty unless all samples have one.
    func pictures(firstSeconds: Double, count: Int, rateHz: Double) -> [RGBImage] {
        guard !pictures.isEmpty, pictures.allSatisfy({ $0 != nil }) else { return [] }
        var position = pictures.count - 1
        return (0..<count).compactMap { point in
            let age = -(firstSeconds + Double(point) / rateHz)
            while position > 0, abs(agesSeconds[position - 1] - age) <= abs(agesSeconds[position] - age) { position -= 1 }
            return pictures[position]
        }
    }

    /// A region's colours on the grid; nil if it was not seen nearly all of the time.
    func trace(
        of region: SkinRegion, firstSeconds: Double, count: Int, rateHz: Double
    ) throws(PulseError) -> (trace: ColourTrace, pixels: Int)? {
        guard let series = regions[region], Double(series.agesSeconds.count) >= 0.9 * Double(agesSeconds.count),
            let earliest = series.agesSeconds.last, earliest >= -firstSeconds - 0.5
        else { return nil }
        let times: [Double] = series.agesSeconds.reversed().map { -$0 }
        let colours = Array(series.colours.reversed())
        func onGrid(_ channel: KeyPath<ColourMean, Double>) throws(PulseError) -> [Double] {
            try Resampling.average(
                colours.map { $0[keyPath: channel] }, timesSeconds: times, firstSeconds: firstSeconds, count: count,
                rateHz: rateHz)
        }
        let trace = ColourTrace(
            rateHz: rateHz, red: try onGrid(\.red), green: try onGrid(\.green), blue: try onGrid(\.blue))
        return (trace, colours.reduce(0) { $0 + $1.pixelCount } / colours.count)
    }
}
