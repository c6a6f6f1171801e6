import Logging
import Synchronization
import Wire
import ZeroMQTransport

/// Says that messages were dropped, but not so often that a hostile peer fills the log.
package final class Rejections: Sendable {
    static let pauseSeconds = 10.0

    private struct State {
        var counts = ["malformed": 0, "version": 0, "unexpected": 0, "refused": 0]
        var nextReport = 0.0
    }

    private let logger: Logger
    private let state = Mutex(State())

    package init(_ logger: Logger) { self.logger = logger }

    /// How many were dropped so far, by reason.
    package var counts: [String: Int] { state.withLock { $0.counts } }

    @Sendable package func report(_ error: WireError) {
        let count: Int? = state.withLock { state in
            state.counts[error.reason, default: 0] += 1
            let now = SocketLoop.now()
            guard now >= state.nextReport else { return nil }
            state.nextReport = now + Self.pauseSeconds
            return state.counts.values.reduce(0, +)
        }
        if let count { logger.warning("\(count) messages dropped so far, the latest: \(error)") }
    }
}

extension WireError {
    /// A word for the metrics.
    fileprivate var reason: String {
        switch self {
        case .malformed: "malformed"
        case .version: "version"
        case .unexpected: "unexpected"
        case .refused: "refused"
        }
    }
}
