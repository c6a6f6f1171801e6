import Foundation

/// The time of day, for latency and for aligning with the advert. It never decides a result.
///
/// Whoever needs it is given one, so that a test can say what time it is.
public struct WallClock: Sendable {
    private let read: @Sendable () -> Int64

    /// - Parameter read: nanoseconds since 1970.
    public init(_ read: @escaping @Sendable () -> Int64) { self.read = read }

    /// Nanoseconds since 1970.
    public var unixNanoseconds: Int64 { read() }

    /// The machine's.
    public static let system = WallClock {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
