/// How the pulse is measured. The defaults are chosen by measurement: see `Models/training/pulse_evaluation.md`.
public struct PulseSettings: Sendable, Equatable {
    /// The length of the clips, s.
    public var clipSeconds = 1.0
    /// How far before its end a clip looks: all that it says follows from the samples of this time, s.
    public var reachBackSeconds = 12.0
    /// The least stretch of skin, without a break, from which a heart rate is computed, s.
    public var minimumSeconds = 10.0
    /// The longest time without a usable frame that is bridged by interpolation, s.
    public var longestGapSeconds = 0.5
    /// The least share of the frames in the stretch that must be usable, 0...1.
    public var leastUsableShare = 0.8
    /// The fewest frames a second: below, a fast pulse is not sampled well enough.
    public var lowestFrameRateHz = 12.0
    /// The grid on which waves are computed, Hz.
    public var gridRateHz = 30.0
    /// The methods whose common power tells the heart rate; the wave that is passed on is the first one's. POS forgets brightness, which
    /// light and motion change; GREEN is near to luma, which encoders spare: what both show is neither.
    public var methods: [PulseMethodName] = [.pos, .green]
    public var heartRate = HeartRateSettings()

    public init() {}
}

/// How a heart rate is found in a wave, and when it is believed.
public struct HeartRateSettings: Sendable, Codable, Equatable {
    /// The heart rates that are looked for, beats a minute.
    public var lowestBPM = 42.0
    public var highestBPM = 200.0
    /// A peak at half the frequency of the highest one, of at least this share of its power, is the heart rate, and the highest its
    /// harmonic.
    public var halfFrequencyShare = 0.5
    /// Beats are searched in this band around the spectral peak, in multiples of its frequency.
    public var beatBandLow = 0.6
    public var beatBandHigh = 1.6
    /// Below this confidence the heart rate is unknown.
    public var leastConfidence = 0.5
    /// Steady waves of more than this share of the mean colour (peak to peak) come from motion or light, not from blood.
    public var highestRemoteAmplitude = 0.06
    /// A network can invent a pulse: its rate is believed only if POS, CHROM and GREEN agree with it as much as this, in the mean,
    /// 0...1: about one of the three.
    public var leastWitnessOfNetwork = 0.3
    public var remote = ConfidenceModel.remote
    public var contact = ConfidenceModel.contact

    public init() {}
}
