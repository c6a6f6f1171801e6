import Face
import Media
import MediaKit
import NodeKit
import Pulse
import Wire

/// Video packets in, pulse clips out: one a second, from the skin colour of the seconds before.
///
/// The pulse log is one for the session (segment 0), numbered by clip. After a restart it begins with the first clip whose
/// whole reach-back is read again; earlier ones are safe with fusion.
final class PulseProducer: EvidenceProducer {
    private let finder: SkinFinder
    private let settings: PulseSettings
    private let network: FaceWaveNetwork?
    private let classifier: (any PulseClassifier)?
    private let decoderThreads: Int
    private var sampler: SkinSampler
    private var analyzer: PulseAnalyzer?
    private var decoder: VideoDecoder?
    private var isOpen = false
    private var segment: UInt32 = 0
    private var expectedSegment: UInt32?
    private var followsGap = false
    private var nextSequence: UInt64 = 0
    private var latestNanoseconds: Int64 = -1
    private(set) var tally = DecodingTally()
    private var segmentStarts: [(segment: UInt32, startNanoseconds: Int64)] = []

    /// - Parameter network: Tells the heart rate instead of the settings' methods.
    init(
        finder: SkinFinder, settings: PulseSettings, network: FaceWaveNetwork?, classifier: (any PulseClassifier)?, decoderThreads: Int
    ) {
        self.finder = finder
        self.settings = settings
        self.network = network
        sampler = SkinSampler(for: network)
        self.classifier = classifier
        self.decoderThreads = decoderThreads
    }

    var firstNeededSegment: UInt32 {
        guard analyzer != nil else { return .max }
        let reachesBackTo = Int64(nextSequence + 1) * clipNanoseconds - reachBackNanoseconds
        // Strictly before: a segment's first frame also joins it to the one before, which a restart cannot know.
        return segmentStarts.last { $0.startNanoseconds < reachesBackTo }?.segment ?? segmentStarts.first?.segment ?? 0
    }

    func begin(_ start: SegmentStart) throws -> [EvidenceItem] {
        segment = start.index
        guard let track = start.track else { return openLog(present: false) }
        decoder = try VideoDecoder(track, threadCount: decoderThreads, startAtSegment: start.index, deblocking: .referencesOnly)
        finder.reset()
        if analyzer == nil || start.index != expectedSegment {
            // The first clip whose reach-back begins after this segment does; at the session's start, the first.
            let first = start.index == 0 ? 0 : followsGap
                ? Int64(nextSequence) : max(0, (start.startNanoseconds + reachBackNanoseconds) / clipNanoseconds)
            followsGap = false
            analyzer = try PulseAnalyzer(settings: settings, network: network, classifier: classifier, firstClipIndex: first)
            sampler = SkinSampler(for: network)
            segmentStarts = []
            nextSequence = UInt64(first)
            isOpen = false
        }
        let needed = firstNeededSegment
        segmentStarts.removeAll { $0.segment < needed }
        segmentStarts.append((segment, start.startNanoseconds))
        return openLog(present: true)
    }

    func consume(_ packet: EncodedPacket) throws -> [EvidenceItem] {
        try examine(decoder?.decode(packet) ?? [])
    }

    /// All clips that begin in what is lost are lost; the next one knows nothing of what lies before it.
    func skip(_ gap: MediaGap) throws -> [EvidenceItem] {
        forgetDecoder()
        analyzer = nil
        followsGap = true
        let next = UInt64(max(0, (gap.endNanoseconds + clipNanoseconds - 1) / clipNanoseconds))
        guard next > nextSequence else { return [] }
        defer { nextSequence = next }
        let lost = MediaGap(
            startNanoseconds: Int64(nextSequence) * clipNanoseconds, endNanoseconds: Int64(next) * clipNanoseconds, reason: gap.reason)
        return [.gap(segment: 0, sequence: nextSequence, next: next, lost)]
    }

    func end(_ end: SegmentEnd) throws -> [EvidenceItem] {
        var items = try examine(decoder?.finish() ?? [])
        forgetDecoder()
        expectedSegment = segment &+ 1
        guard end.isLast else { return items }
        items += entries(try analyzer?.finish(endNanoseconds: end.endNanoseconds) ?? [])
        items.append(.end(segment: 0, sequence: nextSequence, endNanoseconds: end.endNanoseconds, isLast: true))
        return items
    }

    // MARK: -

    private var clipNanoseconds: Int64 { Int64((settings.clipSeconds * 1e9).rounded()) }
    private var reachBackNanoseconds: Int64 { Int64((settings.reachBackSeconds * 1e9).rounded()) }

    private func openLog(present: Bool) -> [EvidenceItem] {
        guard !isOpen else { return [] }
        isOpen = true
        return [.open(segment: 0, first: nextSequence, startNanoseconds: Int64(nextSequence) * clipNanoseconds, present: present)]
    }

    private func forgetDecoder() {
        if let decoder { tally += decoder.tally }
        decoder = nil
    }

    private func examine(_ frames: [VideoFrame]) throws -> [EvidenceItem] {
        var items: [EvidenceItem] = []
        // A segment may begin before the last frame of the one before it (a clock that was set back, joined recordings).
        for frame in frames where frame.segment == segment && frame.ptsNanoseconds > latestNanoseconds {
            latestNanoseconds = frame.ptsNanoseconds
            let sample = try sampler.sample(frame, face: finder.find(in: frame))
            items += entries(try analyzer?.append(sample) ?? [])
        }
        return items
    }

    private func entries(_ clips: [PulseClip]) -> [EvidenceItem] {
        clips.map { clip in
            let body = Adreact_V1_PulseClip.with {
                $0.startNanoseconds = clip.startNanoseconds
                $0.endNanoseconds = clip.endNanoseconds
                if let rate = clip.heartRateBPM { $0.heartRateBpm = rate }
                $0.confidence = clip.confidence
                $0.signalQuality = clip.signalQuality
                $0.logits = clip.logits?.plain ?? []
                if let relative = clip.logits?.relative, let baseline = classifier?.baseline {
                    $0.relativeLogits = relative
                    $0.baseline.populationMeanRelativeLogits = baseline.populationMeanRelativeLogits
                    $0.baseline.bias = baseline.bias
                    $0.baseline.shrinkageWindows = baseline.shrinkageWindows
                    $0.baseline.mixingWindows = baseline.mixingWindows
                }
                $0.unknownReason = clip.unknownReason?.rawValue ?? ""
            }
            nextSequence = UInt64(clip.index) + 1
            return .entry(
                segment: 0, sequence: UInt64(clip.index), startNanoseconds: clip.startNanoseconds,
                durationNanoseconds: clip.endNanoseconds - clip.startNanoseconds, body)
        }
    }
}
