import Foundation
import Fusion

/// A pipeline's state for people: tables of its nodes, sessions and readers.
public enum StatusText {
    /// - Parameters:
    ///   - earlier: an earlier state of the same pipeline, for rates.
    ///   - nowUnixNanoseconds: for how long a node has been up.
    public static func render(_ status: PipelineStatus, since earlier: PipelineStatus?, nowUnixNanoseconds: Int64) -> String {
        let before = Dictionary(earlier?.nodes.map { ($0.instance, $0) } ?? [], uniquingKeysWith: { $1 })
        var parts = [nodes(status.nodes, before, nowUnixNanoseconds)]
        let sessions = sessions(status.nodes), readers = readers(status.nodes), latencies = latencies(status.nodes)
        for part in [sessions, readers, latencies] where !part.isEmpty { parts.append(part) }
        var text = parts.joined(separator: "\n")
        if !status.missingNodes.isEmpty { text += "\nmissing: " + status.missingNodes.joined(separator: ", ") + "\n" }
        for endpoint in status.silentEndpoints { text += "no answer from \(endpoint)\n" }
        return text
    }

    private static func nodes(_ nodes: [NodeState], _ before: [String: NodeState], _ now: Int64) -> String {
        let rows = nodes.map { node -> [String] in
            let earlier = before[node.instance]
            let lost = [Metric.messagesDropped, .messagesRejected, .gapsReceived, .gapsSent].compactMap { node.metrics.sum($0) }.reduce(0, &+)
            return [
                node.instance, String(node.processID), duration(now &- node.startedUnixNanoseconds),
                rate(node, earlier, .messagesReceived, .bytesReceived), rate(node, earlier, .messagesSent, .bytesSent),
                node.metrics.sum(.queuedBytes).map(bytes) ?? "-", node.metrics.sum(.coverageLag).map(seconds) ?? "-", String(lost),
                String([Metric.entriesRedelivered, .duplicatesIgnored].compactMap { node.metrics.sum($0) }.reduce(0, &+)),
                node.rate(.processorTime, since: earlier).map { String(format: "%.0f %%", $0 / 1e7) } ?? "-",
                node.metrics.sum(.residentMemory).map(bytes) ?? "-",
            ]
        }
        return table(["node", "pid", "up", "in/s", "out/s", "queued", "lag", "lost", "again", "cpu", "memory"], rows, left: 1)
    }

    private static func sessions(_ nodes: [NodeState]) -> String {
        let rows = nodes.flatMap { node in
            node.sessions.map { session -> [String] in
                let reached = session.reachedNanoseconds.sorted { $0.key < $1.key }.map { "\($0.key) \(seconds($0.value))" }
                return [
                    session.name + (session.isLive ? " (live)" : ""), node.instance, reached.joined(separator: ", "),
                    seconds(session.lagNanoseconds), bytes(session.queuedBytes),
                ]
            }
        }.sorted { $0[0] < $1[0] }
        return rows.isEmpty ? "" : table(["session", "node", "reached", "lag", "queued"], rows, left: 3)
    }

    private static func readers(_ nodes: [NodeState]) -> String {
        var rows: [[String]] = []
        for node in nodes {
            for (key, readers) in Dictionary(grouping: node.readers, by: { [$0.endpoint, $0.group] }).sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
                let members = readers.filter { !$0.member.isEmpty }
                rows.append([
                    key[1], key[0] + " of " + node.instance, String(members.count), members.isEmpty ? "-" : bytes(members.map(\.creditBytes).reduce(0, &+)),
                    seconds(readers.map(\.lagNanoseconds).max() ?? 0),
                ])
            }
        }
        return rows.isEmpty ? "" : table(["group", "reads", "members", "credit", "lag"], rows, left: 2)
    }

    private static func latencies(_ nodes: [NodeState]) -> String {
        var rows: [LatencyRow] = []
        for (metric, kind) in [(Metric.captureToFinal, "final"), (.captureToProvisional, "provisional")] {
            var byLane: [String: LatencyHistogram] = [:]
            for node in nodes {
                for (key, one) in node.metrics.distributions where key.metric == metric { byLane[key.labels["lane"] ?? "", default: .init()].merge(one) }
            }
            rows += byLane.sorted { $0.key < $1.key }.map { LatencyRow(kind: kind, lane: $0.key, $0.value) }
        }
        return rows.isEmpty ? "" : LatencyRow.table(rows)
    }

    // MARK: Cells

    private static func rate(_ node: NodeState, _ earlier: NodeState?, _ messages: Metric, _ bytes: Metric) -> String {
        guard node.metrics.sum(messages) != nil else { return "-" }
        guard let messages = node.rate(messages, since: earlier), let size = node.rate(bytes, since: earlier) else { return "?" }
        return String(format: "%.0f, ", messages) + Self.bytes(Int64(size.rounded()))
    }

    private static func duration(_ nanoseconds: Int64) -> String {
        let seconds = max(0, nanoseconds / 1_000_000_000)
        let (hours, rest) = seconds.quotientAndRemainder(dividingBy: 3600)
        return hours > 0 ? String(format: "%d:%02d:%02d", Int(hours), Int(rest / 60), Int(rest % 60)) : String(format: "%d:%02d", Int(rest / 60), Int(rest % 60))
    }

    private static func seconds(_ nanoseconds: Int64) -> String { String(format: "%.1f s", Double(nanoseconds) / 1e9) }

    static func bytes(_ count: Int64) -> String {
        let value = Double(count)
        return switch abs(value) {
        case 1e9...: String(format: "%.1f GB", value / 1e9)
        case 1e6...: String(format: "%.1f MB", value / 1e6)
        case 1e3...: String(format: "%.1f kB", value / 1e3)
        default: String(format: "%.0f B", value)
        }
    }

    /// Columns as wide as their widest cell; the first `left` flush left, the others flush right.
    static func table(_ header: [String], _ rows: [[String]], left: Int) -> String {
        let widths = header.indices.map { column in ([header] + rows).map { $0[column].count }.max() ?? 0 }
        return ([header] + rows).map { row in
            row.enumerated().map { column, cell in
                let space = String(repeating: " ", count: widths[column] - cell.count)
                return column < left ? cell + space : space + cell
            }.joined(separator: "  ").trimmingTrailingSpaces + "\n"
        }.joined()
    }
}

extension String {
    fileprivate var trimmingTrailingSpaces: String {
        var text = self[...]
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}

/// One line of a table of latencies.
public struct LatencyRow: Sendable, Encodable {
    /// final, provisional.
    public let kind: String
    public let lane: String
    public let count: UInt64
    public let p50Milliseconds: Double
    public let p90Milliseconds: Double
    public let p99Milliseconds: Double
    public let maximumMilliseconds: Double

    public init(kind: String, lane: String, _ histogram: LatencyHistogram) {
        self.kind = kind
        self.lane = lane
        count = histogram.count
        func milliseconds(_ percent: Double) -> Double { (Double(histogram.percentile(percent) ?? 0) / 1e5).rounded() / 10 }
        p50Milliseconds = milliseconds(50)
        p90Milliseconds = milliseconds(90)
        p99Milliseconds = milliseconds(99)
        maximumMilliseconds = milliseconds(100)
    }

    /// All that a meter has.
    public static func rows(_ meter: LatencyMeter) -> [LatencyRow] {
        [("final", meter.final), ("provisional", meter.provisional)].flatMap { kind, lanes in
            TimelineLane.allCases.compactMap { lane in lanes[lane].map { LatencyRow(kind: kind, lane: lane.rawValue, $0) } }
        }
    }

    public static func table(_ rows: [LatencyRow]) -> String {
        StatusText.table(
            ["latency in ms", "lane", "windows", "p50", "p90", "p99", "max"],
            rows.map { row in
                [row.kind, row.lane, String(row.count)]
                    + [row.p50Milliseconds, row.p90Milliseconds, row.p99Milliseconds, row.maximumMilliseconds].map { String(format: "%.0f", $0) }
            }, left: 2)
    }
}
