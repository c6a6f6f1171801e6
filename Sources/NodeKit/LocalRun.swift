import Foundation
import Media
import SwiftProtobuf
import Wire

/// `NODE --input FILE`: one node alone on a file, printing its evidence as JSON Lines. No sockets, no other process.
public enum LocalRun {
    /// - Throws: `MediaError` or whatever the producer throws.
    public static func run(
        input: String, track: TrackKind, producer: any EvidenceProducer, print: (String) -> Void
    ) throws {
        let source = try Demultiplexer(input: input)
        let parameters = track == .audio ? source.description.audio : source.description.video
        var cutter = SegmentCutter(track: track)
        while let packet = try source.next() {
            guard packet.track == track else { continue }
            for event in cutter.add(packet) { try handle(event, parameters, producer, print) }
        }
        for event in cutter.finish() { try handle(event, parameters, producer, print) }
    }

    private static func handle(
        _ event: SegmentEvent, _ parameters: TrackParameters?, _ producer: any EvidenceProducer, _ print: (String) -> Void
    ) throws {
        let items = switch event {
        case .begin(_, let segment, let start):
            try producer.begin(SegmentStart(index: segment, startNanoseconds: start, track: parameters))
        case .packet(let packet, _, _, _):
            try producer.consume(packet)
        case .end(_, let segment, _, let end, let isLast):
            try producer.end(SegmentEnd(index: segment, endNanoseconds: end, isLast: isLast))
        }
        for case .entry(_, _, _, _, let body) in items { print(try body.jsonString()) }
    }
}
