import Foundation
import Logging
import Media
import MediaKit
import NodeKit
import Wire

/// A face node that a certain recording crashes, as a decoder with a bug would: for tests of the real recovery.
///
///     poisoned-node SESSION
@main
struct PoisonedNode {
    static func main() async throws {
        let poison = CommandLine.arguments.dropFirst().first ?? ""
        let options = try NodeOptions.parse([])
        let settings = TransformNode.Settings(
            name: "face-node", mediaTrack: .video, evidenceTrack: "face", sharing: .segments,
            mediaEndpoint: options.mediaEndpoint, evidenceEndpoint: options.evidenceEndpoint)
        let make = { @Sendable (session: Adreact_V1_Session) -> any EvidenceProducer in Producer(crashes: session.id == poison) }
        try await TransformNode.serve(settings, options, makeProducer: make)
    }

    /// Sees no face anywhere, and crashes at the third packet.
    final class Producer: EvidenceProducer {
        let tally = DecodingTally()
        private let crashes: Bool
        private var segment: UInt32 = 0
        private var packetCount = 0

        init(crashes: Bool) { self.crashes = crashes }

        var firstNeededSegment: UInt32 { .max }

        func begin(_ start: SegmentStart) -> [EvidenceItem] {
            segment = start.index
            packetCount = 0
            return [.open(segment: segment, first: 0, startNanoseconds: start.startNanoseconds, present: true)]
        }

        func consume(_ packet: EncodedPacket) -> [EvidenceItem] {
            packetCount += 1
            if crashes, packetCount == 3 { raise(SIGSEGV) }
            return []
        }

        func skip(_ gap: MediaGap) -> [EvidenceItem] { [] }

        func end(_ end: SegmentEnd) -> [EvidenceItem] {
            [.end(segment: segment, sequence: 0, endNanoseconds: end.endNanoseconds, isLast: end.isLast)]
        }
    }
}
