import Foundation
import StreamLog
import Testing
import Wire
import ZeroMQTransport

/// Real sockets: a publisher and a reader in two loops.
@Suite struct TransportTests {
    private let log = LogID(session: "s", track: "emotion")

    private func endpoint() -> String {
        "ipc://\(NSTemporaryDirectory())/adreact-transport-\(UInt64.random(in: .min ... .max))"
    }

    private func entry(_ sequence: UInt64, _ text: String) -> WireMessage {
        WireMessage(Envelope(.data, log, sequence: sequence), body: Array(text.utf8))
    }

    @Test func anEndpointBelongsToOneProcess() throws {
        let endpoint = endpoint()
        let first = try SocketLoop()
        _ = try first.bind(endpoint) { _, _ in }
        let second = try SocketLoop()
        #expect { _ = try second.bind(endpoint) { _, _ in } } throws: { "\($0)".contains("\(endpoint) is in use") }
        first.start()
        first.stop()
        _ = try second.bind(endpoint) { _, _ in }
    }

    /// What a reader got, from its loop's thread to the test's.
    private final class Received: @unchecked Sendable {
        private let condition = NSCondition()
        private var all: [String] = []

        func add(_ text: String) {
            condition.lock()
            all.append(text)
            condition.broadcast()
            condition.unlock()
        }

        func wait(for count: Int, seconds: Double) -> [String] {
            condition.lock()
            defer { condition.unlock() }
            let deadline = Date(timeIntervalSinceNow: seconds)
            while all.count < count, condition.wait(until: deadline) {}
            return all
        }
    }

    /// A publisher in a loop of its own, with three entries written.
    private final class PublishingProcess: @unchecked Sendable {
        let loop: SocketLoop
        let end: PublishingEnd
        let rejected = Received()

        init(_ endpoint: String, instance: String, log: LogID, entries: [WireMessage]) throws {
            loop = try SocketLoop()
            let rejected = rejected
            end = try PublishingEnd(loop, endpoint: endpoint, binds: true, instance: instance, settings: .init()) { rejected.add("\($0)") }
            end.open(log, info: WireMessage(Envelope(.info, log)))
            for message in entries { end.append(log, sequence: message.envelope.sequence, message) }
            loop.start()
        }
    }

    private final class ReadingProcess: @unchecked Sendable {
        let loop: SocketLoop
        let end: ReadingEnd
        let received = Received()

        init(_ endpoint: String, tracks: Set<String>) throws {
            loop = try SocketLoop()
            end = try ReadingEnd(
                loop, endpoint: endpoint, binds: false, instance: "reader",
                subscription: Subscription(group: "g", member: "m", sharing: .everything, tracks: tracks, creditBytes: 1000),
                rejected: { _ in })
            let received = received
            end.delivered = { [unowned self] delivery in
                if case .entry = delivery.event { received.add(String(decoding: delivery.payload.body, as: UTF8.self)) }
                end.consumed(delivery.ticket)
            }
            loop.start()
        }
    }

    @Test func aReaderThatWasThereFirstGetsEverythingOnceThePublisherComes() throws {
        let endpoint = endpoint()
        let reader = try ReadingProcess(endpoint, tracks: [log.track])
        let publisher = try PublishingProcess(endpoint, instance: "p", log: log, entries: (0..<3).map { entry($0, "\($0)") })
        #expect(reader.received.wait(for: 3, seconds: 20) == ["0", "1", "2"])
        reader.loop.stop()
        publisher.loop.stop()
    }

    @Test func aPublisherThatComesBackIsReadOnFromWhereItWas() throws {
        let endpoint = endpoint()
        let first = try PublishingProcess(endpoint, instance: "p1", log: log, entries: (0..<3).map { entry($0, "\($0)") })
        let reader = try ReadingProcess(endpoint, tracks: [log.track])
        #expect(reader.received.wait(for: 3, seconds: 20).count == 3)
        first.loop.stop()
        let second = try PublishingProcess(endpoint, instance: "p2", log: log, entries: (0..<5).map { entry($0, "\($0)") })
        #expect(reader.received.wait(for: 5, seconds: 20) == ["0", "1", "2", "3", "4"])
        reader.loop.stop()
        second.loop.stop()
    }

    @Test func aStrangerThatTalksNonsenseIsCountedAndHarmsNobody() throws {
        let endpoint = endpoint()
        let publisher = try PublishingProcess(endpoint, instance: "p", log: log, entries: (0..<3).map { entry($0, "\($0)") })
        let stranger = try SocketLoop()
        let peer = try stranger.connect(endpoint) { _, _ in }
        stranger.start()
        stranger.post {
            for frames in [[[1, 2, 3]], [[], []], [[0xff, 0xff], [1]], Array(repeating: [UInt8](repeating: 7, count: 100), count: 9)] as [[[UInt8]]] {
                stranger.send(frames, to: peer)
            }
        }
        #expect(publisher.rejected.wait(for: 4, seconds: 20).count == 4)
        let reader = try ReadingProcess(endpoint, tracks: [log.track])
        #expect(reader.received.wait(for: 3, seconds: 20) == ["0", "1", "2"])
        for loop in [stranger, reader.loop, publisher.loop] { loop.stop() }
    }

    @Test func anEndpointThatIsTakenIsAnError() throws {
        let loop = try SocketLoop()
        #expect(throws: TransportError.self) { _ = try loop.bind("tcp://nonsense", receive: { _, _ in }) }
    }
}
