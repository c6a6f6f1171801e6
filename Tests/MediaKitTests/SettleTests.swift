import Foundation
import Logging
import Media
import MediaKit
import StreamLog
import Testing
import Wire
import ZeroMQTransport

/// A node between real sockets, whose producer holds back what it makes.
@Suite struct SettleTests {
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

    @Test func whatIsHeldBackComesOnceNothingMoreHasCome() throws {
        let folder = NSTemporaryDirectory() + "/adreact-settle-\(UInt64.random(in: .min ... .max))"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let settings = TransformNode.Settings(
            name: "hoarder", mediaTrack: .video, evidenceTrack: "face", sharing: .segments, mediaEndpoint: "ipc://\(folder)/media",
            evidenceEndpoint: "ipc://\(folder)/evidence")
        let node = try TransformNode(settings, instance: "n", runDirectory: folder, logger: Logger(label: "test")) { _ in Hoarder() }
        let loop = try SocketLoop()
        let media = try PublishingEnd(loop, endpoint: settings.mediaEndpoint, binds: true, instance: "p", settings: .init()) { _ in }
        let evidence = try ReadingEnd(
            loop, endpoint: settings.evidenceEndpoint, binds: true, instance: "fusion-node",
            subscription: Subscription(group: "fusion-node", member: "f", sharing: .everything, tracks: ["face"], creditBytes: 1 << 20),
            rejected: { _ in })
        let came = DispatchSemaphore(value: 0)
        evidence.delivered = { delivery in if case .entry = delivery.event { came.signal() } }
        let log = LogID(session: "s", track: "video")
        media.open(log, info: WireMessage(Envelope(.info, log), body: Adreact_V1_Info.with { $0.session.id = "s" }))
        // One packet, and never a second one: a camera's next picture may be long in coming.
        media.append(log, sequence: 0, WireMessage(Envelope(.data, log), body: [1]))
        loop.start()
        node.start()
        defer {
            node.stop()
            loop.stop()
        }
        #expect(came.wait(timeout: .now() + 60) == .success)
    }
}
