import Foundation
import NodeKit
import Testing
import Wire

private func status(_ node: String, _ instance: String, measured: Int64 = 1) -> WireMessage {
    var envelope = Envelope()
    envelope.kind = .status
    return WireMessage(envelope, body: Adreact_V1_Status.with {
        $0.nodes = [.with { $0.node = node; $0.instance = instance; $0.measuredUnixNanoseconds = measured }]
    })
}

@Suite struct StatusCollectionTests {
    @Test func whoFallsSilentIsForgotten() throws {
        var collection = StatusCollection()
        try collection.receive(status("face-node", "face-node-1"), now: 0)
        try collection.receive(status("face-node", "face-node-2"), now: 3)
        #expect(collection.nodes(now: 5).map(\.instance) == ["face-node-1", "face-node-2"])
        #expect(collection.nodes(now: 5.1).map(\.instance) == ["face-node-2"])
        try collection.receive(status("face-node", "face-node-1"), now: 9)
        #expect(collection.nodes(now: 9).map(\.instance) == ["face-node-1"])
    }

    @Test func theLatestWordCountsWhicheverWayItCame() throws {
        var collection = StatusCollection()
        try collection.receive(status("sink", "sink-1", measured: 20), now: 0)
        try collection.receive(status("sink", "sink-1", measured: 10), now: 1)
        #expect(collection.nodes(now: 1).map(\.measuredUnixNanoseconds) == [20])
    }

    @Test func aHostilePeerCannotFillTheMemory() throws {
        var collection = StatusCollection()
        for number in 0..<10_000 { try collection.receive(status("x", "x-\(number)"), now: 0) }
        #expect(collection.nodes(now: 0).count == StatusCollection.mostNodes)
        var envelope = Envelope()
        envelope.kind = .status
        #expect(throws: WireError.self) {
            try collection.receive(WireMessage(envelope, body: [UInt8](repeating: 0, count: StatusCollection.maximumBodyBytes + 1)), now: 0)
        }
        #expect(throws: WireError.self) { try collection.receive(WireMessage(envelope, body: [0xff]), now: 0) }
    }
}

@Suite struct PipelineStatusTests {
    private func node(_ name: String, _ instance: String, sent: Int, at seconds: Int64) -> NodeState {
        var metrics = Metrics()
        metrics.set(.messagesSent, sent, ["endpoint": "media"])
        return NodeState(.with {
            $0.node = name
            $0.instance = instance
            $0.measuredUnixNanoseconds = seconds * 1_000_000_000
            $0.metrics = metrics.wire
        })
    }

    @Test func ratesAreOfOneLifeAndItsOwnTime() {
        let earlier = node("demuxer", "demuxer-1", sent: 100, at: 10)
        #expect(node("demuxer", "demuxer-1", sent: 160, at: 12).rate(.messagesSent, since: earlier) == 30)
        #expect(node("demuxer", "demuxer-2", sent: 160, at: 12).rate(.messagesSent, since: earlier) == nil, "another life began at 0")
        #expect(earlier.rate(.messagesSent, since: earlier) == nil)
        #expect(earlier.rate(.evidenceLate, since: earlier) == nil, "it has no such metric")
    }

    @Test func whatIsMissingIsSaid() throws {
        let pipeline = PipelineStatus(
            nodes: [node("sink", "sink-1", sent: 0, at: 1), node("fusion-node", "f-1", sent: 0, at: 1), node("audio-node", "a-1", sent: 0, at: 1)],
            silentEndpoints: ["ipc://media"])
        #expect(pipeline.nodes.map(\.node) == ["audio-node", "fusion-node", "sink"])
        #expect(pipeline.missingNodes == ["demuxer", "face-node", "rppg-node"])
        let text = StatusText.render(pipeline, since: nil, nowUnixNanoseconds: 1)
        #expect(text.contains("missing: demuxer, face-node, rppg-node\n"))
        #expect(text.contains("no answer from ipc://media\n"))
        let json = try JSONSerialization.jsonObject(with: Data(StatusJSON.line(pipeline).utf8)) as? [String: Any]
        #expect(json?["missing"] as? [String] == ["demuxer", "face-node", "rppg-node"])
    }

    @Test func metricsSurviveTheWire() {
        var metrics = Metrics()
        var latencies = LatencyHistogram()
        for value in [5, 500_000, 70_000_000_000] as [Int64] { latencies.record(nanoseconds: value) }
        metrics.set(.messagesSent, 3, ["endpoint": "media"])
        metrics.set(.messagesSent, 4, ["endpoint": "evidence"])
        metrics.set(.captureToFinal, latencies, ["lane": "face"])
        let unknown = Adreact_V1_Metric.with { $0.name = "adreact_of_a_later_version_total"; $0.value = 7 }
        #expect(Metrics(metrics.wire + [unknown]) == metrics)
        #expect(metrics.sum(.messagesSent) == 7)
        #expect(metrics.sum(.messagesSent, ["endpoint": "evidence"]) == 4)
        #expect(metrics.sum(.bytesSent) == nil)
    }

    /// docs/metrics.md is the specification: it has every metric, and no other.
    @Test func everyMetricIsDocumented() throws {
        let project = ["", "", ""].reduce(#filePath) { path, _ in (path as NSString).deletingLastPathComponent }
        let document = try String(contentsOfFile: project + "/docs/metrics.md", encoding: .utf8)
        let documented = Set(document.matches(of: /`(adreact_[a-z_]+)`/).map { String($0.output.1) })
        #expect(documented == Set(Metric.allCases.map(\.rawValue)))
    }
}
