import Foundation
import Logging
import Synchronization

/// Starts programs and keeps them running: one that dies of a crash or a kill is started again, one that says what is
/// wrong (an exit code of sysexits.h) is not.
public final class Supervisor: Sendable {
    public struct Program: Sendable {
        public let name: String
        public let path: String
        public let arguments: [String]
        /// Whether it reads this process's standard input; otherwise it has none.
        public let readsStandardInput: Bool
        /// A program that crashes more often than this without a pause is given up.
        public let mostCrashes: Int

        public init(name: String, path: String, arguments: [String], readsStandardInput: Bool = false, mostCrashes: Int = 5) {
            self.name = name
            self.path = path
            self.arguments = arguments
            self.readsStandardInput = readsStandardInput
            self.mostCrashes = mostCrashes
        }
    }

    /// What a program that will not be started again ended with.
    public struct Ending: Sendable {
        public let program: String
        public let exitCode: Int32
    }

    /// A program that is killed from outside says nothing of itself, but must not be started for ever (memory may be short).
    static let mostKills = 25
    static let calmSeconds = 30.0
    private static let longestDelaySeconds = 1.0

    private let environment: [String: String]
    private let logger: Logger
    private let endings: AsyncStream<Ending>.Continuation
    /// Programs that ended for good.
    public let ended: AsyncStream<Ending>
    private let state = Mutex(State())

    private struct State {
        var running: [String: Process] = [:]
        var crashes: [String: [Double]] = [:]
        var isStopping = false
    }

    /// - Parameter environment: of the programs, beside this process's own.
    public init(environment: [String: String], logger: Logger) {
        var all = ProcessInfo.processInfo.environment
        all.merge(environment) { $1 }
        all["ADREACT_PARENT"] = String(getpid())
        self.environment = all
        self.logger = logger
        (ended, endings) = AsyncStream<Ending>.makeStream()
    }

    /// - Throws: when the program cannot be started at all.
    public func start(_ program: Program) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program.path)
        process.arguments = program.arguments
        process.environment = environment
        process.standardInput = program.readsStandardInput ? FileHandle.standardInput : FileHandle.nullDevice
        process.terminationHandler = { [self] in finished($0, program) }
        try state.withLock { state in
            guard !state.isStopping else { return }
            try process.run()
            state.running[program.name] = process
        }
    }

    /// Asks all to end, waits up to `seconds`, then ends them.
    public func stop(withinSeconds seconds: Double) {
        let all = state.withLock { state in
            state.isStopping = true
            return Array(state.running.values)
        }
        for process in all where process.isRunning { process.terminate() }
        let deadline = Date(timeIntervalSinceNow: seconds)
        for process in all {
            while process.isRunning, Date() < deadline { usleep(5000) }
            if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        }
    }

    private func finished(_ process: Process, _ program: Program) {
        let crashed = process.terminationReason == .uncaughtSignal || process.terminationStatus >= 128
        let wasKilled = process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGKILL
        let now = ProcessInfo.processInfo.systemUptime
        let delay: Double? = state.withLock { state in
            guard !state.isStopping else { return nil }
            state.running[program.name] = nil
            guard crashed else { return nil }
            let recent = (state.crashes[program.name] ?? []).filter { now - $0 < Self.calmSeconds } + [now]
            state.crashes[program.name] = recent
            guard recent.count <= (wasKilled ? max(Self.mostKills, program.mostCrashes) : program.mostCrashes) else { return nil }
            return min(Self.longestDelaySeconds, 0.05 * Double(1 << (recent.count - 1)))
        }
        guard let delay else {
            if crashed, !state.withLock({ $0.isStopping }) {
                logger.error("\(program.name) died again and again (now of signal \(process.terminationStatus)); given up")
            }
            endings.yield(Ending(program: program.name, exitCode: crashed ? ExitStatus.internalError : process.terminationStatus))
            return
        }
        logger.warning("\(program.name) died (signal \(process.terminationStatus)); starting it again")
        DispatchQueue.global().asyncAfter(deadline: .now() + delay) { [self] in
            do { try start(program) } catch {
                logger.error("\(program.name) cannot be started again: \(error)")
                endings.yield(Ending(program: program.name, exitCode: ExitStatus.internalError))
            }
        }
    }
}
