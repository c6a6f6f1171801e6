import Fusion
import Wire

/// Media times that come over the wire in bodies.
package enum SessionTimes {
    /// - Parameter longestNanoseconds: of a session.
    /// - Throws: `WireError.malformed` for a stretch that no session can have.
    package static func check(
        _ start: Int64, _ end: Int64, longestNanoseconds: Int64 = FusionSettings().maximumSessionNanoseconds
    ) throws(WireError) {
        guard start >= 0, end >= start, end <= longestNanoseconds else { throw .malformed("times from \(start) to \(end) ns") }
    }
}
