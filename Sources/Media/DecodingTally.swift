/// How much of a track could be decoded.
public struct DecodingTally: Sendable, Equatable {
    /// Packets that should each have given a picture, or sound.
    public var packetCount = 0
    /// Pictures, or packets of sound, that came out.
    public var decodedCount = 0

    public init(packetCount: Int = 0, decodedCount: Int = 0) {
        self.packetCount = packetCount
        self.decodedCount = decodedCount
    }

    public static func += (sum: inout DecodingTally, part: DecodingTally) {
        sum.packetCount += part.packetCount
        sum.decodedCount += part.decodedCount
    }

    /// What is wrong with a track most of which is lost: encrypted, or overwritten. Single damaged packets are passed over. In
    /// recordings by fields two packets make a picture, and a segment's leading packets are decoded for the one before.
    public func problem(of kind: TrackKind) -> String? {
        guard packetCount > 0, 4 * decodedCount < packetCount else { return nil }
        return "\(packetCount - decodedCount) of \(packetCount) packets of \(kind.rawValue) cannot be decoded: "
            + "the recording is damaged or encrypted; export it anew"
    }
}
