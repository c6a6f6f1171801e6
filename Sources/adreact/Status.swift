import ArgumentParser
import Foundation
import NodeKit

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "What a running pipeline does: nodes with rates, queues, lags and losses; sessions; readers.",
        discussion: """
            Asks the demuxer and the fusion-node, who know of the others. docs/metrics.md explains the columns and names.
            Exit code: 0 somebody answered, 69 nobody did.
            """)

    @Flag(help: "Again every second, until it is stopped.")
    var watch = false
    @Flag(help: "As JSON, an object a line, with all metrics.")
    var json = false
    @Option(help: "How long to wait for an answer, in seconds.")
    var wait = 3.0
    @OptionGroup var options: NodeOptions

    func validate() throws {
        guard wait > 0, wait <= 3600 else { throw ValidationError("--wait must be above 0, and 3600 at most.") }
    }

    func run() async throws {
        let query = try NodeProcess.opening {
            try StatusQuery(endpoints: [options.mediaEndpoint, options.timelineEndpoint], logger: options.logger("adreact"))
        }
        let view = View(query: query, watches: watch, asJSON: json, waitSeconds: wait)
        let done = AsyncStream<Int32>.makeStream()
        Thread.detachNewThread {
            do {
                try view.show()
                done.continuation.yield(ExitStatus.done)
            } catch {
                done.continuation.yield((error as? ExitCode)?.rawValue ?? ExitStatus.cannotWrite)
            }
        }
        let stream = done.stream
        try await NodeProcess.run(
            finished: {
                for await code in stream { return code }
                return ExitStatus.done
            }, stop: query.stop)
    }
}

/// Looks at the pipeline and prints what it sees.
private struct View: Sendable {
    let query: StatusQuery
    let watches: Bool
    let asJSON: Bool
    let waitSeconds: Double

    func show() throws {
        var earlier: PipelineStatus?
        repeat {
            let status = query.ask(withinSeconds: waitSeconds)
            guard !status.nodes.isEmpty else {
                throw NodeProcess.end(
                    ExitStatus.unavailable, "nobody answers at \(status.silentEndpoints.joined(separator: " and ")): is the pipeline running?")
            }
            if asJSON {
                try print(StatusJSON.line(status) + "\n")
                if watches { Thread.sleep(forTimeInterval: 1) }
            } else {
                // Rates need two looks. The nodes speak once a second.
                if earlier != nil {
                    let now = WallClock.system.unixNanoseconds
                    let clear = watches && isatty(STDOUT_FILENO) == 1 ? "\u{1b}[H\u{1b}[2J" : ""
                    try print(clear + StatusText.render(status, since: earlier, nowUnixNanoseconds: now) + (watches ? "\n" : ""))
                    if !watches { return }
                }
                earlier = status
                Thread.sleep(forTimeInterval: 1.5)
            }
        } while watches || earlier != nil
    }

    private func print(_ text: String) throws { try FileHandle.standardOutput.write(contentsOf: Data(text.utf8)) }
}
