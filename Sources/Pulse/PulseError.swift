/// Why a step of the pulse analysis could not be made.
///
/// A signal from which no heart rate can be had is not an error: that is an `unknownReason`.
public enum PulseError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Settings that no signal could be analysed with; says which.
    case invalidSettings(String)
    /// A signal that is shorter than a step needs.
    case tooShort(samples: Int, needed: Int)
    /// A signal of another length than the step was made for.
    case wrongLength(samples: Int, needed: Int)
    /// Samples that do not come in the order of their times, ns.
    case outOfOrder(ptsNanoseconds: Int64, after: Int64)
    /// A trace without the pictures of the face that a network looks at.
    case noPictures(sidePixels: Int)
    /// A network that failed; says how.
    case network(String)
    /// A classifier that does not give three logits.
    case wrongLogits(count: Int)

    public var description: String {
        switch self {
        case .invalidSettings(let detail): "pulse settings: \(detail)"
        case .tooShort(let samples, let needed): "a signal of \(samples) samples, where \(needed) are needed"
        case .wrongLength(let samples, let needed): "a signal of \(samples) samples, where \(needed) are expected"
        case .outOfOrder(let time, let after): "a skin sample at \(time) ns came after the one at \(after) ns"
        case .noPictures(let side): "the network needs pictures of the face, \(side) pixels wide, 30 a second; a table of colours has none"
        case .network(let detail): "the pulse network: \(detail)"
        case .wrongLogits(let count): "the pulse network gave \(count) logits instead of 3"
        }
    }
}
