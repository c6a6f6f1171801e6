import Media
import MediaKit
import Testing

/// `K` keyframe, `p` picture, `b` leading picture; a digit before it gives the segment.
private func cut(
    _ packets: [(segment: UInt32, kind: Character, pts: Int64)], track: TrackKind = .video,
    interruption: (before: Int, from: Int64, to: Int64)? = nil
) -> [String] {
    var cutter = SegmentCutter(track: track, audioLeadInNanoseconds: 20)
    var events: [SegmentEvent] = []
    for (index, packet) in packets.enumerated() {
        if let interruption, interruption.before == index {
            events += cutter.interrupt(from: interruption.from, to: interruption.to, reason: "lost")
        }
        events += cutter.add(EncodedPacket(
            track: track, index: UInt64(index), ptsNanoseconds: packet.pts, durationNanoseconds: 10, isKeyframe: packet.kind == "K",
            segment: packet.segment, isLeading: packet.kind == "b", payload: []))
    }
    return (events + cutter.finish()).map { event in
        switch event {
        case .begin(_, let segment, let start): "begin \(segment) at \(start)"
        case .packet(let packet, let segment, let sequence, let isContext): "\(segment).\(sequence)=#\(packet.index)\(isContext ? " context" : "")"
        case .gap(_, let segment, let next, let gap): "gap \(segment) to \(next): \(gap.startNanoseconds)-\(gap.endNanoseconds)"
        case .end(_, let segment, let sequence, let end, let isLast): "end \(segment) after \(sequence) at \(end)\(isLast ? " last" : "")"
        }
    }
}

@Suite struct SegmentCutterTests {
    @Test func closedGroupsAreCutBetweenPackets() {
        #expect(cut([(0, "K", 5), (0, "p", 15), (1, "K", 25), (1, "p", 35)]) == [
            "begin 0 at 0", "0.0=#0", "0.1=#1", "end 0 after 2 at 25",
            "begin 1 at 25", "1.0=#2", "1.1=#3", "end 1 after 2 at 45 last",
        ])
    }

    @Test func picturesShownBeforeAKeyframeAreDecodedWithTheSegmentBefore() {
        #expect(cut([(0, "K", 0), (0, "p", 10), (1, "K", 40), (1, "b", 20), (1, "b", 30), (1, "p", 50)]) == [
            "begin 0 at 0", "0.0=#0", "0.1=#1", "0.2=#2 context", "0.3=#3 context", "0.4=#4 context", "end 0 after 5 at 40",
            "begin 1 at 40", "1.0=#2", "1.1=#3", "1.2=#4", "1.3=#5", "end 1 after 4 at 60 last",
        ])
    }

    @Test func anAudioSegmentStartsWithWhatSettlesTheDecoder() {
        #expect(cut([(0, "K", 0), (0, "K", 10), (0, "K", 20), (1, "K", 30)], track: .audio) == [
            "begin 0 at 0", "0.0=#0", "0.1=#1", "0.2=#2", "end 0 after 3 at 30",
            "begin 1 at 30", "1.0=#1 context", "1.1=#2 context", "1.2=#3", "end 1 after 3 at 40 last",
        ])
    }

    @Test(arguments: [TrackKind.audio, .video]) func anInterruptionIsASegmentOfItsOwn(track: TrackKind) {
        #expect(cut([(0, "K", 0), (0, "p", 10), (0, "K", 100), (1, "K", 110)], track: track, interruption: (2, 20, 95)) == [
            "begin 0 at 0", "0.0=#0", "0.1=#1", "end 0 after 2 at 20",
            "begin 1 at 20", "gap 1 to 1: 20-95", "end 1 after 1 at 95",
            "begin 2 at 95", "2.0=#2", "end 2 after 1 at 110", "begin 3 at 110",
        ] + (track == .video ? ["3.0=#3", "end 3 after 1 at 120 last"] : ["3.0=#2 context", "3.1=#3", "end 3 after 2 at 120 last"]))
    }

    @Test func aTrackWithoutPacketsIsOneEmptySegment() {
        #expect(cut([]) == ["begin 0 at 0", "end 0 after 0 at 0 last"])
    }

    @Test func aLastKeyframeAloneIsASegment() {
        #expect(cut([(0, "K", 0), (1, "K", 10)]) == [
            "begin 0 at 0", "0.0=#0", "end 0 after 1 at 10", "begin 1 at 10", "1.0=#1", "end 1 after 1 at 20 last",
        ])
    }
}
