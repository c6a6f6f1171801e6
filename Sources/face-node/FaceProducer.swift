import Face
import Media
import MediaKit
import NodeKit
import Wire

/// Video packets in, face frames out. Segments are worked on alone: each is decoded by a decoder of its own, has a
/// tracker of its own, and is an evidence log of its own.
///
/// While there is more to do, expressions are read on another thread, as the next frames are looked at.
final class FaceProducer: EvidenceProducer {
    /// So many frames are read at once. More would keep more evidence back, and save nothing.
    private static let batchFrames = 4

    private let analyzer: FaceAnalyzer
    private let decoderThreads: Int
    private let background = Background<[EvidenceItem]>()
    private var decoder: VideoDecoder?
    private var segment: UInt32 = 0
    private var nextSequence: UInt64 = 0
    private var seen: [SeenFrame] = []
    private(set) var tally = DecodingTally()

    private struct SeenFrame: Sendable {
        let sequence: UInt64
        let segment: UInt32
        let ptsNanoseconds: Int64
        let durationNanoseconds: Int64
        let unread: UnreadObservation
    }

    init(analyzer: FaceAnalyzer, decoderThreads: Int) {
        self.analyzer = analyzer
        self.decoderThreads = decoderThreads
    }

    var firstNeededSegment: UInt32 { .max }

    func begin(_ start: SegmentStart) throws -> [EvidenceItem] {
        segment = start.index
        nextSequence = 0
        decoder = try start.track.map { try VideoDecoder($0, threadCount: decoderThreads, startAtSegment: start.index, deblocking: .referencesOnly) }
        return [.open(segment: segment, first: 0, startNanoseconds: start.startNanoseconds, present: decoder != nil)]
    }

    func consume(_ packet: EncodedPacket) throws -> [EvidenceItem] {
        try look(at: decoder?.decode(packet) ?? [])
    }

    func settle() throws -> [EvidenceItem] {
        let items = try background.result() ?? []
        read()
        return try items + (background.result() ?? [])
    }

    func skip(_ gap: MediaGap) throws -> [EvidenceItem] {
        forgetDecoder()
        let items = try settle()
        defer { nextSequence += 1 }
        return items + [.gap(segment: segment, sequence: nextSequence, next: nextSequence + 1, gap)]
    }

    func end(_ end: SegmentEnd) throws -> [EvidenceItem] {
        var items = try look(at: decoder?.finish() ?? [])
        forgetDecoder()
        items += try settle()
        items.append(.end(segment: segment, sequence: nextSequence, endNanoseconds: end.endNanoseconds, isLast: end.isLast))
        return items
    }

    private func forgetDecoder() {
        if let decoder { tally += decoder.tally }
        decoder = nil
    }

    private func look(at frames: [VideoFrame]) throws -> [EvidenceItem] {
        var items: [EvidenceItem] = []
        for frame in frames where frame.segment == segment && frame.ptsNanoseconds >= 0 {
            seen.append(SeenFrame(
                sequence: nextSequence, segment: segment, ptsNanoseconds: frame.ptsNanoseconds,
                durationNanoseconds: frame.durationNanoseconds, unread: try analyzer.look(at: frame)))
            nextSequence += 1
            if seen.count == Self.batchFrames {
                items += try background.result() ?? []
                read()
            }
        }
        return items
    }

    private func read() {
        guard !seen.isEmpty else { return }
        nonisolated(unsafe) let reader = analyzer.reader  // one piece of work at a time
        background.start { [seen] in
            try zip(seen, reader.read(seen.map(\.unread))).map { frame, observation in
                .entry(
                    segment: frame.segment, sequence: frame.sequence, startNanoseconds: frame.ptsNanoseconds,
                    durationNanoseconds: frame.durationNanoseconds,
                    Adreact_V1_FaceFrame.with {
                        $0.ptsNanoseconds = frame.ptsNanoseconds
                        $0.durationNanoseconds = frame.durationNanoseconds
                        $0.faceCount = UInt32(clamping: observation.faceCount)
                        if let face = observation.face { $0.face = .init(face, segment: frame.segment) }
                        $0.others = observation.others.map { .init($0, segment: frame.segment) }
                    })
            }
        }
        seen = []
    }
}

extension Adreact_V1_FaceFrame.Face {
    init(_ face: ObservedFace, segment: UInt32) {
        self = .with {
            $0.centreX = Float(face.box.centreX)
            $0.centreY = Float(face.box.centreY)
            $0.width = Float(face.box.width)
            $0.height = Float(face.box.height)
            $0.angleRadians = Float(face.box.angleRadians)
            $0.detectorScore = Float(face.detectorScore)
            $0.logits = face.logits ?? []
            $0.unusableReason = face.unusable?.rawValue ?? ""
            $0.sharpness = Float(face.quality.sharpness)
            $0.brightness = Float(face.quality.brightness)
            $0.contrast = Float(face.quality.contrast)
            $0.sizePixels = Float(face.quality.sizePixels)
            $0.visibleShare = Float(face.quality.visibleShare)
            $0.head.meshPresence = Float(face.head.meshPresence)
            if let pose = face.head.pose {
                $0.head.pose.yawDegrees = Float(pose.yawDegrees)
                $0.head.pose.pitchDegrees = Float(pose.pitchDegrees)
                $0.head.pose.rollDegrees = Float(pose.rollDegrees)
            }
            if let ratio = face.head.eyeAspectRatio { $0.head.eyeAspectRatio = Float(ratio) }
            if let areOpen = face.eyesAreOpen { $0.head.eyesOpen = areOpen }
            if let facesScreen = face.facesScreen { $0.head.facesScreen = facesScreen }
            if let number = face.number { $0.id = "\(segment).\(number)" }
        }
    }
}
