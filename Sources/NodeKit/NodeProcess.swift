import ArgumentParser
import Foundation
import Logging
import UnixSignals

/// What every long-running node has in common: options, logs, signals, exit codes.
public struct NodeOptions: ParsableArguments {
    @Option(help: "Where packets are published. [$ADREACT_MEDIA_ENDPOINT]")
    public var mediaEndpoint = Self.environment("ADREACT_MEDIA_ENDPOINT", "ipc://run/media.ipc")
    @Option(help: "Where evidence is collected. [$ADREACT_EVIDENCE_ENDPOINT]")
    public var evidenceEndpoint = Self.environment("ADREACT_EVIDENCE_ENDPOINT", "ipc://run/evidence.ipc")
    @Option(help: "Where the timeline is published. [$ADREACT_TIMELINE_ENDPOINT]")
    public var timelineEndpoint = Self.environment("ADREACT_TIMELINE_ENDPOINT", "ipc://run/timeline.ipc")
    @Option(help: "Folder for notes: of what a node crashed at, so that it is not tried for ever, and of names of live sessions. [$ADREACT_RUN_DIRECTORY]")
    public var runDirectory = Self.environment("ADREACT_RUN_DIRECTORY", "run")
    @Option(help: "trace, debug, info, notice, warning, error or critical. [$ADREACT_LOG_LEVEL]")
    public var logLevel = Self.environment("ADREACT_LOG_LEVEL", "notice")

    public init() {}

    /// A setting from the environment (which Procfile runners fill from `.env`), or its default.
    public static func environment(_ name: String, _ otherwise: String) -> String {
        let value = ProcessInfo.processInfo.environment[name] ?? ""
        return value.isEmpty ? otherwise : value
    }

    public func validate() throws {
        guard Logger.Level(rawValue: logLevel) != nil else { throw ValidationError("'\(logLevel)' is no log level.") }
        for endpoint in [mediaEndpoint, evidenceEndpoint, timelineEndpoint]
        where !["ipc://", "tcp://"].contains(where: endpoint.hasPrefix) {
            throw ValidationError("'\(endpoint)' is no endpoint: it begins with ipc:// (a path, for one host) or tcp:// (host:port).")
        }
    }

    /// A logger that writes to standard error.
    public func logger(_ name: String) -> Logger {
        var logger = Logger(label: name) { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = Logger.Level(rawValue: logLevel) ?? .notice
        return logger
    }

    /// A name for this process that no other life of it has.
    public static func instance(_ name: String) -> String { "\(name)-\(UInt64.random(in: .min ... .max) & 0xffff_ffff)" }
}

/// Runs a node until it has finished or a signal ends it.
///
/// SIGINT, SIGTERM and SIGHUP stop it in an orderly way, within `drainSeconds`; a second one ends it at once.
public enum NodeProcess {
    public static let drainSeconds = 5.0

    /// - Parameters:
    ///   - finished: waits until the node is done by itself, and returns its exit code. Never returns for a node that serves.
    ///   - stop: orderly stop.
    public static func run(
        finished: @escaping @Sendable () async -> Int32, stop: @escaping @Sendable () -> Void
    ) async throws {
        endWithParent()
        // A reader of a pipe that goes away is an error of that write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        let trapped = endingSignals()
        let signals = await UnixSignalsSequence(trapping: trapped)
        // Not a task group, which would wait for work that does not heed its cancellation.
        let outcome = AsyncStream<Int32>.makeStream()
        let work = Task { outcome.continuation.yield(await finished()) }
        let signalled = Task {
            for await signal in signals {
                outcome.continuation.yield(128 + signal.rawValue)
                return
            }
        }
        let code = await outcome.stream.first { _ in true } ?? ExitStatus.done
        work.cancel()
        signalled.cancel()
        let drained = DispatchSemaphore(value: 0)
        let stopper = Thread {
            stop()
            drained.signal()
        }
        stopper.start()
        let watcher = Task {
            for await _ in await UnixSignalsSequence(trapping: trapped) { _exit(code) }
        }
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                _ = drained.wait(timeout: .now() + drainSeconds)
                continuation.resume()
            }
        }
        watcher.cancel()
        throw ExitCode(code)
    }

    /// A closed terminal ends a program like Ctrl-C, unless whoever started it (nohup) has it outlive the terminal.
    private static func endingSignals() -> [UnixSignal] {
        var current = sigaction()
        sigaction(SIGHUP, nil, &current)
        let isIgnored = unsafeBitCast(current.__sigaction_handler.sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
        return [.sigint, .sigterm] + (isIgnored ? [] : [.sighup])
    }

    /// A program that a supervisor started does not outlive it, however that one ends.
    private static func endWithParent() {
        guard let parent = Int32(NodeOptions.environment("ADREACT_PARENT", "")) else { return }
        let thread = Thread {
            while getppid() == parent { Thread.sleep(forTimeInterval: 0.5) }
            kill(getpid(), SIGTERM)
        }
        thread.name = "parent"
        thread.start()
    }

    /// Runs `open`, and turns what it throws into one line on standard error and the exit code that fits.
    public static func opening<Service>(_ open: () throws -> Service) throws -> Service {
        do {
            return try open()
        } catch let failure as SessionFailure {
            throw end(failure.exitCode, "\(failure)")
        } catch {
            throw end(ExitStatus.unavailable, "\(error)")
        }
    }

    /// One line on standard error; the exit code to throw.
    public static func end(_ code: Int32, _ message: String) -> ExitCode {
        StandardStreams.tell("\(ProcessInfo.processInfo.processName): \(message)")
        return ExitCode(code)
    }

    /// For nodes that serve until they are told to stop.
    public static func runUntilStopped(stop: @escaping @Sendable () -> Void) async throws {
        try await run(
            finished: {
                // Cancelled when a signal comes.
                while !Task.isCancelled { try? await Task.sleep(for: .seconds(3600)) }
                return ExitStatus.done
            }, stop: stop)
    }
}
