import Wire

/// A running pipeline at one moment, as its nodes tell it.
public struct PipelineStatus: Sendable, Equatable {
    /// What a pipeline needs to get anything done.
    public static let neededNodes = ["demuxer", "audio-node", "face-node", "rppg-node", "fusion-node"]

    /// By kind, then by instance.
    public let nodes: [NodeState]
    /// Endpoints where nobody answered.
    public let silentEndpoints: [String]

    public init(nodes: [NodeState], silentEndpoints: [String]) {
        let order = Self.neededNodes
        self.nodes = nodes.sorted { one, other in
            (order.firstIndex(of: one.node) ?? order.count, one.node, one.instance)
                < (order.firstIndex(of: other.node) ?? order.count, other.node, other.instance)
        }
        self.silentEndpoints = silentEndpoints
    }

    /// Kinds of node without which the work stands still, and that nobody has heard of lately.
    public var missingNodes: [String] { Self.neededNodes.filter { name in !nodes.contains { $0.node == name } } }
}

/// One process.
public struct NodeState: Sendable, Equatable {
    /// How far it is with a session.
    public struct Session: Sendable, Equatable {
        public let name: String
        public let isLive: Bool
        /// Media time that each stage of its work has reached.
        public let reachedNanoseconds: [String: Int64]
        /// Media time between what has come in and what is done with.
        public let lagNanoseconds: Int64
        public let queuedBytes: Int64
    }

    /// Who reads what it publishes.
    public struct Reader: Sendable, Equatable {
        public let endpoint: String
        public let group: String
        /// Empty: the group must read, and has no member.
        public let member: String
        /// That may still be sent to it.
        public let creditBytes: Int64
        /// Of its group: media time between the newest entry and the oldest unacknowledged one.
        public let lagNanoseconds: Int64
    }

    public let node: String
    public let instance: String
    public let processID: Int
    public let host: String
    public let startedUnixNanoseconds: Int64
    public let measuredUnixNanoseconds: Int64
    public let metrics: Metrics
    public let sessions: [Session]
    public let readers: [Reader]

    /// How fast a counter has run since `earlier`, a second; `nil` where that cannot be said.
    public func rate(_ metric: Metric, since earlier: NodeState?) -> Double? {
        guard let earlier, earlier.instance == instance, let now = metrics.sum(metric), let then = earlier.metrics.sum(metric)
        else { return nil }
        let seconds = (Double(measuredUnixNanoseconds) - Double(earlier.measuredUnixNanoseconds)) / 1e9
        return seconds > 0 ? max(0, (Double(now) - Double(then)) / seconds) : nil
    }
}

extension NodeState {
    package init(_ status: Adreact_V1_NodeStatus) {
        node = status.node
        instance = status.instance
        processID = Int(status.processID)
        host = status.host
        startedUnixNanoseconds = status.startedUnixNanoseconds
        measuredUnixNanoseconds = status.measuredUnixNanoseconds
        metrics = Metrics(status.metrics)
        sessions = status.sessions.map {
            Session(
                name: $0.session, isLive: $0.live, reachedNanoseconds: $0.reachedNanoseconds, lagNanoseconds: $0.lagNanoseconds,
                queuedBytes: $0.queuedBytes)
        }.sorted { $0.name < $1.name }
        readers = status.readers.map {
            Reader(
                endpoint: $0.endpoint, group: $0.group, member: $0.member, creditBytes: $0.creditBytes,
                lagNanoseconds: $0.lagNanoseconds)
        }
    }
}
