/// The numbers of the fusion rules. Values out of range are brought to the nearest end of it.
public struct FusionSettings: Sendable, Equatable, Codable {
    /// Weight of the face in the mean of voice and face probabilities, 0...1; the voice has the rest.
    public let faceWeight: Double
    /// The longest time before a frame that it can speak for, in nanoseconds, 1 ns to 1 h.
    public let frameReachNanoseconds: Int64
    /// Times past this are refused: a guard against corrupt timestamps, in nanoseconds, 1 s to 1 year.
    public let maximumSessionNanoseconds: Int64
    /// Whether logits of voice and pulse are set against what is usual for the person, where the model is made for it.
    public let usesPersonalBaseline: Bool
    /// How far back, in media time, windows can still be amended when a lane that was given up as missing delivers
    /// after all. All evidence of this long is kept while a lane is missing. 0: never amend. At most 1 h.
    public let amendmentReachNanoseconds: Int64

    public init(
        faceWeight: Double = 0.5,
        usesPersonalBaseline: Bool = true,
        frameReachNanoseconds: Int64 = 300_000_000,
        maximumSessionNanoseconds: Int64 = 7 * 24 * 3600 * 1_000_000_000,
        amendmentReachNanoseconds: Int64 = 60 * 1_000_000_000
    ) {
        let second: Int64 = 1_000_000_000
        self.faceWeight = faceWeight.isFinite ? min(max(faceWeight, 0), 1) : 0.5
        self.usesPersonalBaseline = usesPersonalBaseline
        self.frameReachNanoseconds = min(max(frameReachNanoseconds, 1), 3600 * second)
        self.maximumSessionNanoseconds = min(max(maximumSessionNanoseconds, second), 366 * 24 * 3600 * second)
        self.amendmentReachNanoseconds = min(max(amendmentReachNanoseconds, 0), 3600 * second)
    }
}
