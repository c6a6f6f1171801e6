import Foundation
import Logging
import Media
import MediaKit
import StreamLog
import Testing
import Wire
import ZeroMQTransport

/// A node between real sockets.
@Suite struct TransformNodeTests {
    private final class Hoarder: EvidenceProducer {
        let tally = DecodingTally()
        private var held: [EvidenceItem] = []

        var firstNeededSegment: UInt32 { .max }

        func begin(_ start: SegmentStart) -> [EvidenceItem] {
            [.open(segment: start.index, first: 0, startNanoseconds: start.startNanoseconds, present: true)]
        }

        func consume(_ packet: EncodedPacket) -> [EvidenceItem] {
            held.append(.entry(
                segment: packet.segment, sequence: packet.index, startNanoseconds: packet.ptsNanoseconds, durationNanoseconds: 1,
                Adreact_V1_FaceFrame.with { $0.ptsNanoseconds = packet.ptsNanoseconds }))
            return []
        }

        func settle() -> [EvidenceItem] {
            defer { held = [] }
            return held
        }

        func skip(_ gap: MediaGap) -> [EvidenceItem] { [] }
        func end(_ end: SegmentEnd) -> [EvidenceItem] { [] }
    }

    /// A publisher of packets, the node, and who hears its evidence.
    private final class Chain {
        let folder = NSTemporaryDirectory() + "/adreact-settle-\(UInt64.random(in: .min ... .max))"
        let loop: SocketLoop
        let node: TransformNode
        let media: PublishingEnd
        let evidence: ReadingEnd
        let log = LogID(session: "s", track: "video")

        init() throws {
            let settings = TransformNode.Settings(
                name: "hoarder", mediaTrack: .video, evidenceTrack: "face", sharing: .segments, mediaEndpoint: "ipc://\(folder)/media",
                evidenceEndpoint: "ipc://\(folder)/evidence")
            node = try TransformNode(settings, instance: "n", runDirectory: folder, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }) { _ in Hoarder() }
            loop = try SocketLoop()
            media = try PublishingEnd(loop, endpoint: settings.mediaEndpoint, binds: true, instance: "p", settings: .init()) { _ in }
            evidence = try ReadingEnd(
                loop, endpoint: settings.evidenceEndpoint, binds: true, instance: "fusion-node",
                subscription: Subscription(group: "fusion-node", member: "f", sharing: .everything, tracks: ["face"], creditBytes: 1 << 20),
                rejected: { _ in })
            media.open(log, info: WireMessage(Envelope(.info, log), body: Adreact_V1_Info.with { $0.session.id = "s" }))
        }

        func start() {
            loop.start()
            node.start()
        }

        deinit {
            node.stop()
            loop.stop()
            try? FileManager.default.removeItem(atPath: folder)
        }
    }

    @Test func whatIsHeldBackComesOnceNothingMoreHasCome() throws {
        let chain = try Chain()
        let came = DispatchSemaphore(value: 0)
        chain.evidence.delivered = { delivery in if case .entry = delivery.event { came.signal() } }
        // One packet, and never a second one: a camera's next picture may be long in coming.
        chain.media.append(chain.log, sequence: 0, WireMessage(Envelope(.data, chain.log), body: [1]))
        chain.start()
        #expect(came.wait(timeout: .now() + 60) == .success)
    }

    /// A producer may make something for every second up to a packet: there must not be thousands of years of them.
    @Test func aPacketAtAnImpossibleTimeEndsItsSession() throws {
        let chain = try Chain()
        let failed = DispatchSemaphore(value: 0)
        chain.evidence.delivered = { delivery in
            if case .end = delivery.event, (try? delivery.payload.decode(Adreact_V1_End.self))?.hasFailure == true { failed.signal() }
        }
        var envelope = Envelope(.data, chain.log)
        envelope.mediaStartNanoseconds = 1 << 59
        chain.media.append(chain.log, sequence: 0, WireMessage(envelope, body: [1]))
        chain.media.close(chain.log, end: WireMessage(Envelope(.end, chain.log, sequence: 1), body: Adreact_V1_End.with { $0.last = true }))
        chain.start()
        #expect(failed.wait(timeout: .now() + 60) == .success)
    }
}
