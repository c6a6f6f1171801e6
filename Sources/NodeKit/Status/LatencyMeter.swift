import Fusion

/// How long it took from the capture of what a window ends with until the window was there, by lane.
///
/// Amendments do not count: what they wait for is somebody's return. A provisional window counts when it first
/// reaches further in media time than what was shown before, not each time that it is shown again.
public struct LatencyMeter: Sendable {
    public private(set) var final: [TimelineLane: LatencyHistogram] = [:]
    public private(set) var provisional: [TimelineLane: LatencyHistogram] = [:]
    private var shownNanoseconds: [String: [TimelineLane: Int64]] = [:]

    public init() {}

    /// - Parameters:
    ///   - captureUnixNanoseconds: of the media at the window's end; 0 (not live): nothing is counted.
    ///   - nowUnixNanoseconds: when the window was there.
    public mutating func note(_ window: TimelineWindow, captureUnixNanoseconds: Int64, nowUnixNanoseconds: Int64) {
        guard captureUnixNanoseconds > 0 else { return }
        let (latency, overflows) = nowUnixNanoseconds.subtractingReportingOverflow(captureUnixNanoseconds)
        guard !overflows else { return }
        if window.isFinal {
            if window.revision == 0 { final[window.lane, default: LatencyHistogram()].record(nanoseconds: latency) }
        } else if window.endNanoseconds > shownNanoseconds[window.session]?[window.lane] ?? .min {
            shownNanoseconds[window.session, default: [:]][window.lane] = window.endNanoseconds
            provisional[window.lane, default: LatencyHistogram()].record(nanoseconds: latency)
        }
    }

    public mutating func forget(session: String) { shownNanoseconds[session] = nil }
}
