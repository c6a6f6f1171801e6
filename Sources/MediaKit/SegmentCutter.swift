import Media
import NodeKit

/// What happens to a media track on its way into logs: each segment is a log that can be decoded alone.
public enum SegmentEvent: Sendable {
    case begin(track: TrackKind, segment: UInt32, startNanoseconds: Int64)
    /// `sequence` counts within the segment. `isContext`: of a neighbouring segment, needed to decode this one.
    case packet(EncodedPacket, segment: UInt32, sequence: UInt64, isContext: Bool)
    /// The whole segment, from number 0 up to `next`, was lost before it could be read.
    case gap(track: TrackKind, segment: UInt32, next: UInt64, MediaGap)
    case end(track: TrackKind, segment: UInt32, sequence: UInt64, endNanoseconds: Int64, isLast: Bool)
}

/// Cuts the packets of one track into self-contained segments.
///
/// An audio segment is preceded by the packets that settle a freshly opened decoder. A video segment is followed by the
/// next one's keyframe and the pictures that are shown before it (they need both neighbours: an "open" group of
/// pictures), so that every picture is decoded by exactly one segment.
public struct SegmentCutter: Sendable {
    private let track: TrackKind
    private let leadInNanoseconds: Int64
    private var recent: [EncodedPacket] = []
    private var current: Open?
    /// The segment before the current one, until its last leading picture has passed.
    private var previous: Open?
    /// The current segment's first packet, as long as the previous one may need it.
    private var keyframe: EncodedPacket?
    /// Events of the current segment, until the previous one has ended: segments come out one after the other.
    private var waiting: [SegmentEvent] = []
    private var endNanoseconds: Int64 = 0
    /// Where the first segment to come begins, whenever its first packet is shown.
    private var startNanoseconds: Int64 = 0
    /// Added to the numbers of the packets' segments: those before an interruption are in use.
    private var firstSegment: UInt32 = 0

    private struct Open: Sendable {
        let segment: UInt32
        var nextSequence: UInt64 = 0
        var endNanoseconds: Int64 = 0
    }

    /// - Parameter audioLeadInNanoseconds: how much audio settles a decoder.
    public init(track: TrackKind, audioLeadInNanoseconds: Int64 = AudioDecoder.leadInNanoseconds) {
        self.track = track
        leadInNanoseconds = audioLeadInNanoseconds
    }

    public mutating func add(_ packet: EncodedPacket) -> [SegmentEvent] {
        var packet = packet
        packet.segment &+= firstSegment
        var events: [SegmentEvent] = []
        if current?.segment != packet.segment {
            events += begin(packet)
        } else if previous != nil, packet.isLeading {
            if let keyframe { events += write(keyframe, to: \.previous, isContext: true) }
            keyframe = nil
            events += write(packet, to: \.previous, isContext: true)
        } else {
            events += closePrevious()
        }
        let own = write(packet, to: \.current, isContext: false)
        if previous == nil { events += own } else { waiting += own }
        endNanoseconds = max(endNanoseconds, packet.ptsNanoseconds + packet.durationNanoseconds)
        remember(packet)
        return events
    }

    /// The track is over. A track that had no packet at all has one empty segment.
    public mutating func finish() -> [SegmentEvent] {
        var events = closePrevious()
        if current == nil {
            events.append(.begin(track: track, segment: firstSegment, startNanoseconds: startNanoseconds))
            current = Open(segment: firstSegment)
        }
        if let last = current {
            events.append(.end(track: track, segment: last.segment, sequence: last.nextSequence, endNanoseconds: endNanoseconds, isLast: true))
        }
        current = nil
        return events
    }

    /// The source was lost, and found again at `endNanoseconds`: what lies between is a segment without packets. The packets
    /// to come count their segments from 0 again.
    ///
    /// - Parameter startNanoseconds: when it was lost; the end of everything that was read of any track.
    public mutating func interrupt(from startNanoseconds: Int64, to endNanoseconds: Int64, reason: String) -> [SegmentEvent] {
        var events = closePrevious()
        if let open = current {
            events.append(.end(
                track: track, segment: open.segment, sequence: open.nextSequence, endNanoseconds: startNanoseconds, isLast: false))
            firstSegment = open.segment &+ 1
        }
        let gap = MediaGap(
            startNanoseconds: current == nil ? self.startNanoseconds : startNanoseconds, endNanoseconds: endNanoseconds, reason: reason)
        events += [
            .begin(track: track, segment: firstSegment, startNanoseconds: gap.startNanoseconds),
            .gap(track: track, segment: firstSegment, next: 1, gap),
            .end(track: track, segment: firstSegment, sequence: 1, endNanoseconds: gap.endNanoseconds, isLast: false),
        ]
        firstSegment &+= 1
        (current, recent) = (nil, [])
        (self.startNanoseconds, self.endNanoseconds) = (endNanoseconds, endNanoseconds)
        return events
    }

    private mutating func begin(_ packet: EncodedPacket) -> [SegmentEvent] {
        var events = closePrevious()
        // The first segment begins with the session, whenever its first packet is shown.
        let start = current == nil ? startNanoseconds : packet.ptsNanoseconds
        previous = current
        previous?.endNanoseconds = start
        current = Open(segment: packet.segment)
        waiting = [.begin(track: track, segment: packet.segment, startNanoseconds: start)]
        if track == .video, previous != nil {
            keyframe = packet
        } else {
            for earlier in recent { waiting += write(earlier, to: \.current, isContext: true) }
            events += closePrevious()
        }
        return events
    }

    private mutating func write(_ packet: EncodedPacket, to place: WritableKeyPath<SegmentCutter, Open?>, isContext: Bool) -> [SegmentEvent] {
        guard let open = self[keyPath: place] else { return [] }
        self[keyPath: place]?.nextSequence += 1
        return [.packet(packet, segment: open.segment, sequence: open.nextSequence, isContext: isContext)]
    }

    /// Ends the previous segment, if it is still open, and lets out what waited for that.
    private mutating func closePrevious() -> [SegmentEvent] {
        defer {
            previous = nil
            keyframe = nil
            waiting = []
        }
        guard let open = previous else { return waiting }
        return [.end(track: track, segment: open.segment, sequence: open.nextSequence, endNanoseconds: open.endNanoseconds, isLast: false)]
            + waiting
    }

    private mutating func remember(_ packet: EncodedPacket) {
        guard track == .audio else { return }
        recent.append(packet)
        let horizon = packet.ptsNanoseconds + packet.durationNanoseconds - leadInNanoseconds
        while let first = recent.first, recent.count > 1, first.ptsNanoseconds + first.durationNanoseconds <= horizon { recent.removeFirst() }
    }
}
