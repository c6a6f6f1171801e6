import Fusion
import NodeKit
import Wire

/// What the fusion node counts, beside what passes its endpoints.
struct FusionFigures: Sendable {
    var latencies = LatencyMeter()
    private var publishedWindows: [TimelineLane: Int] = [:]
    private var late: [Lane: Int] = [:]
    private var finishedCount = 0
    private var failedCount = 0
    /// Pieces of evidence that made no sense.
    var ignoredCount = 0

    /// A message of a timeline was published, or shown.
    mutating func note(_ message: WireMessage) {
        let envelope = message.envelope
        guard envelope.kind == .data || envelope.kind == .transient, envelope.track != TimelineTrack.seconds,
            let body = try? message.decode(Adreact_V1_TimelineWindow.self),
            case .window(let window) = body.event(session: envelope.session)
        else { return }
        if window.isFinal { publishedWindows[window.lane, default: 0] += 1 }
        latencies.note(
            window, captureUnixNanoseconds: envelope.captureUnixNanoseconds, nowUnixNanoseconds: envelope.publishUnixNanoseconds)
    }

    mutating func finish(_ session: String, _ fusion: SessionFusion?) {
        finishedCount += 1
        if fusion?.hasFailed == true { failedCount += 1 }
        for (lane, count) in fusion?.late ?? [:] { late[lane, default: 0] += count }
        latencies.forget(session: session)
    }

    func report(_ open: [SessionFusion]) -> StatusBoard.Report {
        var report = StatusBoard.Report()
        report.sessions = open.map(\.status)
        for lane in TimelineLane.allCases {
            let labels = ["lane": lane.rawValue]
            report.metrics.set(.windowsPublished, publishedWindows[lane] ?? 0, labels)
            if let distribution = latencies.final[lane] { report.metrics.set(.captureToFinal, distribution, labels) }
            if let distribution = latencies.provisional[lane] { report.metrics.set(.captureToProvisional, distribution, labels) }
        }
        for lane in Lane.allCases {
            let count = open.reduce(late[lane] ?? 0) { $0 + ($1.late[lane] ?? 0) }
            report.metrics.set(.evidenceLate, count, ["lane": lane.rawValue])
        }
        report.metrics.set(.messagesDropped, ignoredCount, ["reason": "senseless-evidence"])
        report.metrics.set(.sessionsOpen, open.count)
        report.metrics.set(.sessionsFinished, finishedCount)
        report.metrics.set(.sessionsFailed, failedCount)
        report.metrics.set(.coverageLag, Int(report.sessions.map(\.lagNanoseconds).max() ?? 0))
        return report
    }
}
