import Wire

/// Everything that a node counts, by its name on the wire: the one list of them. docs/metrics.md says who counts what when.
///
/// These are plain values, read off the state machines' own counters once a second. (swift-metrics was not taken: it is
/// a way to write to a registry that is global to the process, and has none to read from.)
public enum Metric: String, CaseIterable, Sendable {
    // Logs that come in, by endpoint.
    case messagesReceived = "adreact_messages_received_total"
    case bytesReceived = "adreact_bytes_received_total"
    case entriesDelivered = "adreact_entries_delivered_total"
    case duplicatesIgnored = "adreact_duplicates_ignored_total"
    case holesFound = "adreact_holes_found_total"
    case gapsReceived = "adreact_gaps_received_total"
    case publisherRestarts = "adreact_publisher_restarts_total"
    // Logs that go out, by endpoint.
    case messagesSent = "adreact_messages_sent_total"
    case bytesSent = "adreact_bytes_sent_total"
    case entriesRedelivered = "adreact_entries_redelivered_total"
    case gapsSent = "adreact_gaps_sent_total"
    case readersLost = "adreact_readers_lost_total"
    case queuedBytes = "adreact_queued_bytes"
    case readers = "adreact_readers"
    // The node.
    case messagesDropped = "adreact_messages_dropped_total"
    case messagesRejected = "adreact_messages_rejected_total"
    case evidenceLate = "adreact_evidence_late_total"
    case windowsPublished = "adreact_windows_published_total"
    case sessionsOpen = "adreact_sessions_open"
    case sessionsFinished = "adreact_sessions_finished_total"
    case sessionsFailed = "adreact_sessions_failed_total"
    case coverageLag = "adreact_coverage_lag_nanoseconds"
    case captureToFinal = "adreact_capture_to_final_nanoseconds"
    case captureToProvisional = "adreact_capture_to_provisional_nanoseconds"
    case residentMemory = "adreact_resident_memory_bytes"
    case processorTime = "adreact_processor_nanoseconds_total"
}

/// What a node's metrics are at one moment.
public struct Metrics: Sendable, Equatable {
    public struct Key: Hashable, Sendable {
        public let metric: Metric
        public let labels: [String: String]
    }

    public private(set) var values: [Key: Int64] = [:]
    public private(set) var distributions: [Key: LatencyHistogram] = [:]

    public init() {}

    public mutating func set(_ metric: Metric, _ value: Int, _ labels: [String: String] = [:]) {
        values[Key(metric: metric, labels: labels)] = Int64(value)
    }

    public mutating func set(_ metric: Metric, _ distribution: LatencyHistogram, _ labels: [String: String] = [:]) {
        distributions[Key(metric: metric, labels: labels)] = distribution
    }

    /// The sum over all labels that have these ones among them; `nil` where the node does not have the metric.
    public func sum(_ metric: Metric, _ labels: [String: String] = [:]) -> Int64? {
        let found = values.filter { entry in entry.key.metric == metric && labels.allSatisfy { entry.key.labels[$0] == $1 } }
        // From another process: may be any number.
        return found.isEmpty ? nil : found.values.reduce(0) { $0.addingReportingOverflow($1).overflow ? .max : $0 + $1 }
    }
}

extension Metrics {
    /// Names that this program does not know (of a later version) are left out.
    package init(_ wire: [Adreact_V1_Metric]) {
        for one in wire {
            guard let metric = Metric(rawValue: one.name) else { continue }
            let key = Key(metric: metric, labels: one.labels)
            if one.hasDistribution { distributions[key] = LatencyHistogram(one.distribution) } else { values[key] = one.value }
        }
    }

    package var wire: [Adreact_V1_Metric] {
        let all = values.map { key, value in
            Adreact_V1_Metric.with { $0.name = key.metric.rawValue; $0.labels = key.labels; $0.value = value }
        } + distributions.map { key, distribution in
            Adreact_V1_Metric.with { $0.name = key.metric.rawValue; $0.labels = key.labels; $0.distribution = distribution.wire }
        }
        return all.sorted { ($0.name, $0.labels.description) < ($1.name, $1.labels.description) }
    }
}
