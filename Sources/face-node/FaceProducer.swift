import Face
import Media
import MediaKit
import NodeKit
import Wire

/// Video packets in, face frames out. Segments are worked on alone: each is decoded by a decoder of its own, has a
/// tracker of its own, and is an evidence log of its own.
final class FaceProducer: EvidenceProducer {
    private let analyzer: FaceAnalyzer
    private let decoderThreads: Int
    private var decoder: VideoDecoder?
    private var segment: UInt32 = 0
    private var nextSequence: UInt64 = 0

    init(analyzer: FaceAnalyzer, decoderThreads: Int) {
        self.analyzer = analyzer
        self.decoderThreads = decoderThreads
    }

    var firstNeededSegment: UInt32 { .max }

    func begin(_ start: SegmentStart) throws -> [EvidenceItem] {
        segment = start.index
        nextSequence = 0
        decoder = try start.track.map { try VideoDecoder($0, threadCount: decoderThreads, startAtSegment: start.index) }
        return [.open(segment: segment, first: 0, startNanoseconds: start.startNanoseconds, present: decoder != nil)]
    }

    func consume(_ packet: EncodedPacket) throws -> [EvidenceItem] {
        try entries(decoder?.decode(packet) ?? [])
    }

    func skip(_ gap: MediaGap) throws -> [EvidenceItem] {
        decoder = nil
        defer { nextSequence += 1 }
        return [.gap(segment: segment, sequence: nextSequence, next: nextSequence + 1, gap)]
    }

    func end(_ end: SegmentEnd) throws -> [EvidenceItem] {
        var items = try entries(decoder?.finish() ?? [])
        decoder = nil
        items.append(.end(segment: segment, sequence: nextSequence, endNanoseconds: end.endNanoseconds, isLast: end.isLast))
        return items
    }

    private func entries(_ frames: [VideoFrame]) throws -> [EvidenceItem] {
        var items: [EvidenceItem] = []
        for frame in frames where frame.segment == segment && frame.ptsNanoseconds >= 0 {
            let body = Adreact_V1_FaceFrame(try analyzer.analyze(frame), of: frame)
            items.append(.entry(
                segment: segment, sequence: nextSequence, startNanoseconds: frame.ptsNanoseconds,
                durationNanoseconds: frame.durationNanoseconds, body))
            nextSequence += 1
        }
        return items
    }
}

extension Adreact_V1_FaceFrame {
    init(_ observation: FaceObservation, of frame: VideoFrame) {
        self = .with {
            $0.ptsNanoseconds = frame.ptsNanoseconds
            $0.durationNanoseconds = frame.durationNanoseconds
            $0.faceCount = UInt32(clamping: observation.faceCount)
            if let face = observation.face { $0.face = Face(face, segment: frame.segment) }
            $0.others = observation.others.map { Face($0, segment: frame.segment) }
        }
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
