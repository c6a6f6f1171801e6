import Foundation

/// A pipeline's state for programs: one JSON object.
public enum StatusJSON {
    public static func line(_ status: PipelineStatus) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(Pipeline(status)), as: UTF8.self)
    }

    private struct Pipeline: Encodable {
        let nodes: [Node]
        let missing: [String]
        let silentEndpoints: [String]

        init(_ status: PipelineStatus) {
            nodes = status.nodes.map(Node.init)
            missing = status.missingNodes
            silentEndpoints = status.silentEndpoints
        }
    }

    private struct Node: Encodable {
        struct Value: Encodable {
            let name: String
            let labels: [String: String]
            var value: Int64?
            var latency: Latency?
        }
        struct Latency: Encodable {
            let count: UInt64
            let p50Nanoseconds: UInt64?, p90Nanoseconds: UInt64?, p99Nanoseconds: UInt64?, maximumNanoseconds: UInt64
        }
        struct Session: Encodable {
            let session: String, live: Bool, reachedNanoseconds: [String: Int64], lagNanoseconds: Int64, queuedBytes: Int64
        }
        struct Reader: Encodable {
            let endpoint: String, group: String, member: String, creditBytes: Int64, lagNanoseconds: Int64
        }

        let node: String, instance: String, processID: Int, host: String
        let startedUnixNanoseconds: Int64, measuredUnixNanoseconds: Int64
        let metrics: [Value]
        let sessions: [Session]
        let readers: [Reader]

        init(_ state: NodeState) {
            node = state.node
            instance = state.instance
            processID = state.processID
            host = state.host
            startedUnixNanoseconds = state.startedUnixNanoseconds
            measuredUnixNanoseconds = state.measuredUnixNanoseconds
            let values = state.metrics.values.map { Value(name: $0.metric.rawValue, labels: $0.labels, value: $1) }
            let latencies = state.metrics.distributions.map { key, one in
                Value(
                    name: key.metric.rawValue, labels: key.labels,
                    latency: Latency(
                        count: one.count, p50Nanoseconds: one.percentile(50), p90Nanoseconds: one.percentile(90),
                        p99Nanoseconds: one.percentile(99), maximumNanoseconds: one.maximumNanoseconds))
            }
            metrics = (values + latencies).sorted { ($0.name, $0.labels.sorted { $0.key < $1.key }.description) < ($1.name, $1.labels.sorted { $0.key < $1.key }.description) }
            sessions = state.sessions.map {
                Session(session: $0.name, live: $0.isLive, reachedNanoseconds: $0.reachedNanoseconds, lagNanoseconds: $0.lagNanoseconds, queuedBytes: $0.queuedBytes)
            }
            readers = state.readers.map {
                Reader(endpoint: $0.endpoint, group: $0.group, member: $0.member, creditBytes: $0.creditBytes, lagNanoseconds: $0.lagNanoseconds)
            }
        }
    }
}
