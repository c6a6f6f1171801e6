import ArgumentParser
import Foundation
import Fusion
import NodeKit

@main
struct Sink: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sink",
        abstract: "Read the timeline: print it as it comes, or write each session's files when it is over.")

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case text, jsonl, csv
    }

    @Option(help: "How to print: text and jsonl print windows, csv prints seconds.")
    var format = Format.text
    @Option(help: "Write timeline.jsonl and seconds.csv of each session in a folder of its own here, instead of printing.")
    var out: String?
    @Flag(help: "With --out: straight into that folder. For one session.")
    var flat = false
    @Option(help: "Sinks of one group name share one place in the timeline, and resume there. Default: a group of its own, from the start.")
    var group: String?
    @Flag(help: "The group begins anew.")
    var fromStart = false
    @Flag(help: "Also print windows that are not final yet (\"final\":false).")
    var provisional = false
    @Option(help: "End after so many sessions.")
    var exitAfter: Int?
    @OptionGroup var options: NodeOptions

    func validate() throws {
        if out != nil, group != nil {
            throw ValidationError("--out writes whole sessions, from their beginning: it cannot resume in the middle as a --group does.")
        }
        if let exitAfter, exitAfter < 1 { throw ValidationError("--exit-after must be 1 or more.") }
    }

    func run() async throws {
        let reader = try NodeProcess.opening {
            try TimelineReader(
                endpoint: options.timelineEndpoint, group: group, fromStart: fromStart, wantsOpenWindows: provisional,
                node: "sink", instance: NodeOptions.instance("sink"), logger: options.logger("sink"))
        }
        let receive = try receiver()
        let limit = exitAfter ?? .max
        let done = AsyncStream<Int32>.makeStream()
        Thread.detachNewThread {
            var ended = 0
            do {
                try reader.forEach { message in
                    try receive(message)
                    if case .ended = message { ended += 1 }
                    return ended < limit
                }
                done.continuation.yield(ExitStatus.done)
            } catch {
                let failure = error as? SessionFailure ?? SessionFailure(exitCode: ExitStatus.cannotWrite, "the timeline cannot be written: \(error)")
                done.continuation.yield(NodeProcess.end(failure.exitCode, "\(failure)").rawValue)
            }
            done.continuation.finish()
        }
        let stream = done.stream
        try await NodeProcess.run(
            finished: {
                for await code in stream { return code }
                while !Task.isCancelled { try? await Task.sleep(for: .seconds(3600)) }
                return ExitStatus.done
            }, stop: reader.stop)
    }

    /// What to do with each message.
    private func receiver() throws -> @Sendable (TimelineMessage) throws -> Void {
        if let out {
            let files = ResultFiles(directory: out, hasFolderPerSession: !flat)
            let timelines = Box(SessionTimelines())
            return { message in
                if let timeline = timelines.value.receive(message) { try files.write(timeline) }
            }
        }
        let format = format
        if format == .csv { try Self.print(TimelineCSV.header) }
        return { message in
            switch (format, message) {
            case (.jsonl, .event(_, .window(let window))): try Self.print(TimelineJSON.line(window))
            case (.text, .event(_, .window(let window))): try Self.print(TimelineText.line(window))
            case (.csv, .event(_, .second(let row))): try Self.print(TimelineCSV.line(row))
            case (.text, .began(let info)): try Self.print("\(info.name): \(info.sourceName)")
            case (_, .ended(let session, _, let failure?)): _ = NodeProcess.end(failure.exitCode, "\(session): \(failure)")
            case (.text, .ended(let session, _, nil)): try Self.print("\(session): end")
            default: break
            }
        }
    }

    /// A line at once, so that whoever reads the pipe gets it now; a reader that went away ends the sink.
    private static func print(_ line: String) throws {
        try FileHandle.standardOutput.write(contentsOf: Data((line + "\n").utf8))
    }
}

/// A value that one thread at a time changes.
private final class Box<Value>: @unchecked Sendable {
    var value: Value
    init(_ value: Value) { self.value = value }
}
