import Logging
import Synchronization
import Wire
import ZeroMQTransport

/// Says that messages were dropped, but not so often that a hostile peer fills the log.
package final class Rejections: Sendable {
    static let pauseSeconds = 10.0

    private let logger: Logger
    private let state = Mutex((count: 0, nextReport: 0.0))

    package init(_ logger: Logger) { self.logger = logger }

    @Sendable package func report(_ error: WireError) {
        let count: Int? = state.withLock { state in
            state.count += 1
            let now = SocketLoop.now()
            guard now >= state.nextReport else { return nil }
            state.nextReport = now + Self.pauseSeconds
            return state.count
        }
        if let count { logger.warning("\(count) messages dropped so far, the latest: \(error)") }
    }
}
