import Foundation
import Fusion
import NodeKit
import Synchronization

/// What the person at the terminal sees: progress while it runs, then the timelines.
final class Report: Sendable {
    private struct State {
        var timelines = SessionTimelines()
        var finished: [String: SessionTimeline] = [:]
    }

    private let inputs: [(session: String, source: String)]
    private let out: String
    private let svg: Bool
    private let started = ProcessInfo.processInfo.systemUptime
    private let showsProgress = isatty(STDERR_FILENO) == 1
    private let state = Mutex(State())

    init(inputs: [(session: String, source: String)], out: String, svg: Bool) {
        self.inputs = inputs
        self.out = out
        self.svg = svg
    }

    var isComplete: Bool { state.withLock { $0.finished.count == inputs.count } }

    func receive(_ message: TimelineMessage) {
        state.withLock { state in
            if let timeline = state.timelines.receive(message) { state.finished[timeline.info.name] = timeline }
        }
        if case .progress(let sessions) = message { showProgress(sessions) }
    }

    /// Prints everything; returns the exit code: of the first input that was not wholly analysed, 0 if all were.
    func print() -> Int32 {
        if showsProgress { writeError("\r\u{1b}[K") }
        let finished = state.withLock { $0.finished }
        var code = ExitStatus.done
        let isColoured = isatty(STDOUT_FILENO) == 1 && NodeOptions.environment("NO_COLOR", "").isEmpty
        let files = ResultFiles(directory: out, hasFolderPerSession: inputs.count > 1)
        for (name, source) in inputs {
            guard let session = finished[name] else { continue }
            if let failure = session.failure {
                writeError("adreact: \(failure)\n")
                if code == ExitStatus.done { code = failure.exitCode }
                // Nothing of it could be read: there is nothing to show.
                if session.timeline.rows.isEmpty { continue }
            }
            writeOutput("\(source)\n")
            writeOutput(TimelineText.render(session.timeline, options: .init(columns: columns, usesColour: isColoured)))
            writeOutput("\nWritten: \(files.folder(of: name))/timeline.jsonl, seconds.csv\(svg ? ", timeline.svg" : "")\n\n")
            if svg {
                do {
                    try AtomicFile.write(TimelineSVG.render(session.timeline), to: files.folder(of: name) + "/timeline.svg")
                } catch {
                    writeError("adreact: \(error)\n")
                    code = ExitStatus.cannotWrite
                }
            }
        }
        return code
    }

    private func showProgress(_ sessions: [SessionProgress]) {
        guard showsProgress else { return }
        let elapsed = ProcessInfo.processInfo.systemUptime - started
        let finished = state.withLock { state in
            state.finished.values.reduce(0.0) { $0 + Double($1.info.durationNanoseconds ?? 0) / 1e9 }
        }
        let open = sessions.reduce((covered: 0.0, duration: 0.0)) { sum, session in
            let duration = Double(session.durationNanoseconds) / 1e9
            let covered = Double(session.coveredNanoseconds) / 1e9
            return (sum.covered + (duration > 0 ? min(covered, duration) : min(covered, 1e9)), sum.duration + duration)
        }
        let covered = finished + open.covered, duration = finished + open.duration
        let rate = covered / max(elapsed, 0.001)
        var line = String(format: "%5.1f s analysed, %.1fx real time", covered, rate)
        if duration > 0, covered > 0 {
            line = String(format: "%3.0f %%  ", min(100, 100 * covered / duration)) + line
            line += String(format: ", %.0f s left", max(0, (duration - covered) / max(rate, 0.01)))
        }
        if inputs.count > 1 { line += ", \(state.withLock { $0.finished.count }) of \(inputs.count) inputs done" }
        writeError("\r\u{1b}[K\(line)")
    }

    private var columns: Int {
        var size = winsize()
        if ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return Int(size.ws_col) }
        return Int(NodeOptions.environment("COLUMNS", "100")) ?? 100
    }

    private func writeError(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data(text.utf8)) }
    private func writeOutput(_ text: String) { try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8)) }
}
