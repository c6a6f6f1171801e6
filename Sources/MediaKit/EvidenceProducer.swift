import Media
import NodeKit
import StreamLog
import SwiftProtobuf
import Wire
import ZeroMQTransport

/// Turns one media track of one session into evidence: what an audio, face or rPPG node does, without its plumbing.
///
/// It gets whole segments, in order unless segments are shared out. What it makes must depend on the packets alone, so
/// that a segment that comes again, here or in another process, makes the same evidence with the same numbers.
public protocol EvidenceProducer: AnyObject {
    func begin(_ segment: SegmentStart) throws -> [EvidenceItem]
    func consume(_ packet: EncodedPacket) throws -> [EvidenceItem]
    func end(_ segment: SegmentEnd) throws -> [EvidenceItem]
    /// The rest of the segment that was begun will never come. Its end does.
    func skip(_ gap: MediaGap) throws -> [EvidenceItem]
    /// Nothing more has come for now: gives what `consume` may have held back, so as to work on more of it at once.
    func settle() throws -> [EvidenceItem]
    /// The first segment that is still needed to make what comes; everything before it has been turned into evidence.
    var firstNeededSegment: UInt32 { get }
    /// Of what this producer has decoded.
    var tally: DecodingTally { get }
}

extension EvidenceProducer {
    public func settle() throws -> [EvidenceItem] { [] }
}

public struct SegmentStart: Sendable {
    public let index: UInt32
    /// Media time from which on this segment is examined.
    public let startNanoseconds: Int64
    /// Absent: the session has no such track.
    public let track: TrackParameters?
}

public struct SegmentEnd: Sendable {
    public let index: UInt32
    /// Media time up to which this segment is examined.
    public let endNanoseconds: Int64
    public let isLast: Bool
}

/// Media that was lost on its way: dropped because this reader was too slow for a live source, or never received.
public struct MediaGap: Sendable {
    public let startNanoseconds: Int64
    public let endNanoseconds: Int64
    public let reason: String

    public init(startNanoseconds: Int64, endNanoseconds: Int64, reason: String) {
        self.startNanoseconds = startNanoseconds
        self.endNanoseconds = endNanoseconds
        self.reason = reason
    }
}

/// What a producer makes: logs of evidence.
public enum EvidenceItem: Sendable {
    /// `present`: whether the session has what is examined here.
    case open(segment: UInt32, first: UInt64, startNanoseconds: Int64, present: Bool)
    case entry(segment: UInt32, sequence: UInt64, startNanoseconds: Int64, durationNanoseconds: Int64, any SwiftProtobuf.Message & Sendable)
    /// Entries from `sequence` up to `next`, of this stretch of media time, will never exist.
    case gap(segment: UInt32, sequence: UInt64, next: UInt64, MediaGap)
    case end(segment: UInt32, sequence: UInt64, endNanoseconds: Int64, isLast: Bool)
}
