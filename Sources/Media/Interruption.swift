import CFFmpeg

/// Stops whatever a demultiplexer is waiting for, from any thread.
public final class Interruption: @unchecked Sendable {  // atomics behind the pointer
    let handle: OpaquePointer

    public init() {
        // A few bytes: where these are not to be had, nothing goes on.
        guard let handle = adreact_interruption_create() else { preconditionFailure("out of memory") }
        self.handle = handle
    }

    deinit { adreact_interruption_free(handle) }

    /// Opening or reading in progress, and every later one, ends with `MediaError.Code.interrupted` within a second.
    public func interrupt() { adreact_interruption_raise(handle) }

    public var isInterrupted: Bool { adreact_interruption_is_raised(handle) != 0 }
}
