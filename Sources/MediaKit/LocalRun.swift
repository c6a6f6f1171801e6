import Foundation
import Media
import NodeKit
import SwiftProtobuf
import Wire

extension JSONEncodingOptions {
    /// Numbers as numbers: media times fit a double's 53 bits for a hundred days.
    fileprivate static var readable: JSONEncodingOptions {
        var options = JSONEncodingOptions()
        options.alwaysPrintInt64sAsNumbers = true
        return options
    }
}

/// `NODE --input FILE`: one node alone on a file, printing its evidence as JSON Lines. No sockets, no other process.
public enum LocalRun {
    /// The whole command: prints to standard output; an error is one line and its exit code.
    public static func command(input: String, track: TrackKind, producer: any EvidenceProducer) throws {
        do {
            try run(input: input, track: track, producer: producer) { line in
                try FileHandle.standardOutput.write(contentsOf: Data((line + "\n").utf8))
            }
        } catch {
            let failure = SessionFailure(error, input: input)
            throw NodeProcess.end(failure.exitCode, "\(failure)")
        }
    }

    /// - Throws: `MediaError`, of a recording that was cut after all that there is of it, or whatever the producer throws.
    public static func run(
        input: String, track: TrackKind, producer: any EvidenceProducer, print: (String) throws -> Void
    ) throws {
        let source = try Demultiplexer(input: input)
        let parameters = track == .audio ? source.description.audio : source.description.video
        var cutter = SegmentCutter(track: track)
        while let packet = try source.next() {
            guard packet.track == track else { continue }
            for event in cutter.add(packet) { try handle(event, parameters, producer, print) }
        }
        for event in cutter.finish() { try handle(event, parameters, producer, print) }
        if let truncation = source.truncation { throw truncation }
        if let problem = producer.tally.problem(of: track) { throw MediaError(.corrupt, input: input, detail: problem) }
    }

    private static func handle(
        _ event: SegmentEvent, _ parameters: TrackParameters?, _ producer: any EvidenceProducer, _ print: (String) throws -> Void
    ) throws {
        let items = switch event {
        case .begin(_, let segment, let start):
            try producer.begin(SegmentStart(index: segment, startNanoseconds: start, track: parameters))
        case .packet(let packet, _, _, _):
            try producer.consume(packet)
        case .gap(_, _, _, let gap):
            try producer.skip(gap)
        case .end(_, let segment, _, let end, let isLast):
            try producer.end(SegmentEnd(index: segment, endNanoseconds: end, isLast: isLast))
        }
        for case .entry(_, _, _, _, let body) in items { try print(body.jsonString(options: .readable)) }
    }
}
