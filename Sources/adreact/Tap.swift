import ArgumentParser
import Foundation
import Fusion
import NodeKit
import Synchronization

struct Tap: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what passes in a running pipeline: windows, open ones too, or how late they are.",
        discussion: """
            One more reader of the timeline, from the start of every session; it holds nobody up.
            Latency is counted from the capture of the media at a window's end until the window is here, for live sessions, \
            and for windows published since tap began.
            """)

    @Flag(help: "Instead of windows, the distribution of their latency.")
    var latency = false
    @Option(help: "With --latency: also every so many seconds, not only at the end.")
    var every: Int?
    @Option(help: "Only this session.")
    var session: String?
    @Flag(help: "As JSON Lines.")
    var json = false
    @Option(help: "End after so many sessions.")
    var exitAfter: Int?
    @OptionGroup var options: NodeOptions

    func validate() throws {
        if let every, !(1...86_400).contains(every) { throw ValidationError("--every must be 1 to 86400.") }
        if every != nil, !latency { throw ValidationError("--every goes with --latency.") }
        if let exitAfter, exitAfter < 1 { throw ValidationError("--exit-after must be 1 or more.") }
    }

    func run() async throws {
        let reader = try NodeProcess.opening {
            try TimelineReader(
                endpoint: options.timelineEndpoint, group: nil, fromStart: true, wantsOpenWindows: true, node: "tap",
                instance: NodeOptions.instance("tap"), logger: options.logger("tap"))
        }
        let follower = Follower(session: session, onlyLatency: latency, asJSON: json, mostSessions: exitAfter ?? .max)
        let done = AsyncStream<Int32>.makeStream()
        Thread.detachNewThread {
            do {
                try follower.follow(reader)
                done.continuation.yield(ExitStatus.done)
            } catch {
                // Whoever read the output went away.
                done.continuation.yield(ExitStatus.cannotWrite)
            }
        }
        if let every {
            Thread.detachNewThread {
                while true {
                    Thread.sleep(forTimeInterval: Double(every))
                    try? follower.showLatency()
                }
            }
        }
        let stream = done.stream
        try await NodeProcess.run(
            finished: {
                for await code in stream { return code }
                return ExitStatus.done
            },
            stop: {
                reader.stop()
                if follower.onlyLatency { try? follower.showLatency() }
            })
    }
}

/// Prints what a reader gets, or counts how late it is.
private final class Follower: Sendable {
    let session: String?
    let onlyLatency: Bool
    let asJSON: Bool
    let mostSessions: Int
    /// One thread counts, another one may show.
    private let meter = Mutex(LatencyMeter())

    init(session: String?, onlyLatency: Bool, asJSON: Bool, mostSessions: Int) {
        self.session = session
        self.onlyLatency = onlyLatency
        self.asJSON = asJSON
        self.mostSessions = mostSessions
    }

    func follow(_ reader: TimelineReader) throws {
        let clock = WallClock.system
        let started = clock.unixNanoseconds
        var ended = 0
        try reader.forEach { message, times in
            switch message {
            case .event(let name, .window(let window)) where session == nil || session == name:
                if !onlyLatency {
                    try Self.print(asJSON ? TimelineJSON.line(window) : "\(name)  \(TimelineText.line(window))")
                } else if times.publishUnixNanoseconds >= started {
                    let now = clock.unixNanoseconds
                    meter.withLock { $0.note(window, captureUnixNanoseconds: times.captureUnixNanoseconds, nowUnixNanoseconds: now) }
                }
            case .began(let info) where !onlyLatency && !asJSON && (session == nil || session == info.name):
                try Self.print("\(info.name): \(info.sourceName)")
            case .ended(let name, _, let failure) where session == nil || session == name:
                ended += 1
                meter.withLock { $0.forget(session: name) }
                if let failure { _ = NodeProcess.end(failure.exitCode, "\(name): \(failure)") }
                if !onlyLatency, !asJSON { try Self.print("\(name): end") }
            default:
                break
            }
            return ended < mostSessions
        }
    }

    func showLatency() throws {
        let rows = LatencyRow.rows(meter.withLock { $0 })
        if asJSON {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            try Self.print(String(decoding: encoder.encode(["latency": rows]), as: UTF8.self))
        } else {
            try Self.print(rows.isEmpty ? "no windows of a live session yet" : LatencyRow.table(rows))
        }
    }

    /// A line at once, so that whoever reads the pipe gets it now.
    private static func print(_ line: String) throws {
        try FileHandle.standardOutput.write(contentsOf: Data((line.hasSuffix("\n") ? line : line + "\n").utf8))
    }
}
