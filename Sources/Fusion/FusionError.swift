/// An input that fusion cannot accept. It has changed nothing; the session goes on without it.
public struct FusionError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong, in a form that programs can compare. More may be added.
    public struct Code: Sendable, Equatable, CustomStringConvertible {
        public let description: String

        /// A time is negative, past `FusionSettings.maximumSessionNanoseconds`, or an end lies before its start.
        public static let time = Code(description: "time out of range")
        /// Logits are not three finite numbers, or another measure is not finite or out of its range.
        public static let measure = Code(description: "measure out of range")
    }

    public let code: Code
    public let lane: Lane?
    /// The offending field and its value.
    public let detail: String

    public var description: String {
        "\(lane.map { "\($0.rawValue) lane: " } ?? "")\(code): \(detail)"
    }
}
