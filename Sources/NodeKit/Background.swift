import Dispatch
import Synchronization

/// One piece of work at a time on a thread of its own, for whoever has something else to do meanwhile.
///
/// One thread at a time asks.
public final class Background<Value: Sendable>: @unchecked Sendable {
    private final class Outcome: Sendable {
        let done = DispatchSemaphore(value: 0)
        let result = Mutex<Result<Value, any Error>?>(nil)
    }

    private let queue = DispatchQueue(label: "background")
    private var outcome: Outcome?

    public init() {}

    /// Waits: what the work uses may be gone after this.
    deinit { outcome?.done.wait() }

    /// The result of the work before must have been asked for.
    public func start(_ work: @escaping @Sendable () throws -> Value) {
        precondition(outcome == nil, "one piece of work at a time")
        let outcome = Outcome()
        self.outcome = outcome
        queue.async {
            let result = Result { try work() }
            outcome.result.withLock { $0 = result }
            outcome.done.signal()
        }
    }

    /// Waits for it; nil if nothing was started since the last one.
    public func result() throws -> Value? {
        guard let outcome else { return nil }
        self.outcome = nil
        outcome.done.wait()
        return try outcome.result.withLock { $0 }?.get()
    }
}
