import Wire

/// What went wrong with one session, as it travels to whoever asked for it.
public struct SessionFailure: Error, Sendable, CustomStringConvertible {
    public let exitCode: Int32
    /// Which input, what is wrong, what to do.
    public let description: String

    public init(exitCode: Int32, _ description: String) {
        self.exitCode = exitCode
        self.description = description
    }

    package init(_ failure: Adreact_V1_Failure) { self.init(exitCode: failure.exitCode, failure.message) }

    package var wire: Adreact_V1_Failure {
        .with {
            $0.exitCode = exitCode
            $0.message = description
        }
    }
}
