import Wire

/// What one process knows of the others: the states that they tell it, as a pure state machine.
///
/// Time is any monotonic clock in seconds, passed in.
package struct StatusCollection: Sendable {
    /// Who says nothing for so long is not there any more.
    package static let livenessSeconds = 5.0
    /// More are not kept, so that a hostile peer cannot fill the memory with made-up nodes.
    package static let mostNodes = 256
    /// Longer bodies are not a node's.
    package static let maximumBodyBytes = 256 * 1024

    private struct Heard: Sendable {
        let node: Adreact_V1_NodeStatus
        let at: Double
    }

    private var heard: [String: Heard] = [:]

    package init() {}

    /// Takes in what a peer tells.
    /// - Throws: `WireError` for a body that is none, or too long.
    package mutating func receive(_ message: WireMessage, now: Double) throws(WireError) {
        guard message.body.count <= Self.maximumBodyBytes else { throw .malformed("a status of \(message.body.count) bytes") }
        for node in try message.decode(Adreact_V1_Status.self).nodes {
            guard !node.instance.isEmpty, heard[node.instance] != nil || heard.count < Self.mostNodes else { continue }
            // Of one life of a node the latest word counts, whichever way it came.
            if let known = heard[node.instance], known.node.measuredUnixNanoseconds > node.measuredUnixNanoseconds { continue }
            heard[node.instance] = Heard(node: node, at: now)
        }
    }

    /// All that have been heard of lately, by node and instance.
    package mutating func nodes(now: Double) -> [Adreact_V1_NodeStatus] {
        heard = heard.filter { now - $0.value.at <= Self.livenessSeconds }
        return heard.values.map(\.node).sorted { ($0.node, $0.instance) < ($1.node, $1.instance) }
    }
}
