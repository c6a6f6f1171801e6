import Foundation
import Logging
import Wire
import ZeroMQTransport

/// Asks a running pipeline what its nodes do, at the endpoints that its nodes have anyway.
public final class StatusQuery: @unchecked Sendable {
    /// How often who has not answered is asked again, in seconds.
    static let pauseSeconds = 0.25
    /// Once somebody has answered, the others have so long, in seconds: they run, or they do not.
    static let graceSeconds = 0.75

    private let loop: SocketLoop
    private let rejections: Rejections
    private let condition = NSCondition()
    // Guarded by `condition`:
    private var endpoints: [Peer: String] = [:]
    private var waiting: Set<Peer> = []
    private var collection = StatusCollection()
    private var firstAnswer: Double?
    // On the loop's thread:
    private var nextQuestion = 0.0

    /// - Parameter endpoints: of the demuxer and of the fusion node.
    /// - Throws: `TransportError` for an endpoint that is none.
    public init(endpoints: [String], logger: Logger) throws {
        loop = try SocketLoop()
        rejections = Rejections(logger)
        for endpoint in endpoints {
            let peer = try loop.connect(endpoint) { [unowned self] frames, peer in received(frames, peer) }
            self.endpoints[peer] = endpoint
        }
        loop.addTicker { [unowned self] now in ask(now) }
        loop.start()
    }

    public func stop() { loop.stop() }

    /// Asks everybody, and waits until all have answered, or `seconds` are over.
    public func ask(withinSeconds seconds: Double) -> PipelineStatus {
        condition.lock()
        defer { condition.unlock() }
        collection = StatusCollection()
        waiting = Set(endpoints.keys)
        firstAnswer = nil
        let deadline = SocketLoop.now() + seconds
        while !waiting.isEmpty {
            let now = SocketLoop.now()
            let end = min(deadline, (firstAnswer ?? .infinity) + Self.graceSeconds)
            if now >= end { break }
            _ = condition.wait(until: Date(timeIntervalSinceNow: end - now))
        }
        return PipelineStatus(
            nodes: collection.nodes(now: SocketLoop.now()).map(NodeState.init), silentEndpoints: waiting.compactMap { endpoints[$0] }.sorted())
    }

    // MARK: Loop's thread

    private func ask(_ now: Double) {
        guard now >= nextQuestion else { return }
        nextQuestion = now + Self.pauseSeconds
        var envelope = Envelope()
        envelope.kind = .statusRequest
        let question = WireMessage(envelope)
        condition.lock()
        let peers = waiting
        condition.unlock()
        for peer in peers { loop.send([question.envelopeBytes, question.body], to: peer) }
    }

    private func received(_ frames: SocketLoop.Frames, _ peer: Peer) {
        do throws(WireError) {
            let message = try WireMessage(frames: frames)
            // The others at this endpoint have their own conversations: heartbeats do not concern us.
            guard message.envelope.kind == .status else { return }
            condition.lock()
            defer { condition.unlock() }
            try collection.receive(message, now: SocketLoop.now())
            waiting.remove(peer)
            firstAnswer = firstAnswer ?? SocketLoop.now()
            condition.signal()
        } catch {
            rejections.report(error)
        }
    }
}
