import Media
import MediaKit
import NodeKit
import Voice
import Wire

/// Audio packets in, voice windows out.
///
/// The voice log is one for the session (segment 0), numbered by window. After a restart it begins with the first
/// window that lies wholly in what is read again. Those that this node must still deliver reach back no further than that
/// (`firstNeededSegment`); earlier ones are safe with fusion, which drops what it has.
final class VoiceProducer: EvidenceProducer {
    private let settings: VoiceSettings
    private let classifier: any VoiceClassifier
    private let gate: SpeechGateMethod
    private var analyzer: VoiceAnalyzer?
    private var decoder: AudioDecoder?
    private var isOpen = false
    private var nextSequence: UInt64 = 0
    private(set) var tally = DecodingTally()
    /// The newest block waits: only at its segment's end is known where the next one takes over.
    private var held: AudioBlock?
    private var startSample: Int64 = 0
    private var expectedSegment: UInt32?
    private var segmentStarts: [(segment: UInt32, startNanoseconds: Int64)] = []

    init(settings: VoiceSettings, classifier: any VoiceClassifier, gate: SpeechGateMethod) {
        self.settings = settings
        self.classifier = classifier
        self.gate = gate
    }

    var firstNeededSegment: UInt32 {
        guard let analyzer else { return .max }
        return segmentStarts.last { $0.startNanoseconds <= analyzer.neededFromNanoseconds }?.segment ?? segmentStarts.first?.segment ?? 0
    }

    func begin(_ segment: SegmentStart) throws -> [EvidenceItem] {
        guard let track = segment.track else { return openLog(first: 0, startNanoseconds: 0, present: false) }
        decoder = try AudioDecoder(track, startAtSegment: segment.index)
        startSample = sample(atNanoseconds: segment.startNanoseconds)
        if analyzer == nil || segment.index != expectedSegment {
            let fresh = try VoiceAnalyzer(settings: settings, classifier: classifier, gate: gate, startSample: startSample)
            analyzer = fresh
            segmentStarts = []
            nextSequence = UInt64(fresh.examinedUntilNanoseconds / hopNanoseconds)
            isOpen = false
        }
        let needed = firstNeededSegment
        segmentStarts.removeAll { $0.segment < needed }
        segmentStarts.append((segment.index, segment.startNanoseconds))
        return openLog(first: nextSequence, startNanoseconds: Int64(nextSequence) * hopNanoseconds, present: true)
    }

    func consume(_ packet: EncodedPacket) throws -> [EvidenceItem] {
        try take(decoder?.decode(packet) ?? [])
    }

    /// All windows that need some of what is lost are lost; the next segment begins afresh.
    func skip(_ gap: MediaGap) throws -> [EvidenceItem] {
        if let decoder { tally += decoder.tally }
        (decoder, held, analyzer) = (nil, nil, nil)
        let next = UInt64(max(0, (gap.endNanoseconds + hopNanoseconds - 1) / hopNanoseconds))
        guard next > nextSequence else { return [] }
        defer { nextSequence = next }
        let lost = MediaGap(
            startNanoseconds: Int64(nextSequence) * hopNanoseconds, endNanoseconds: Int64(next) * hopNanoseconds, reason: gap.reason)
        return [.gap(segment: 0, sequence: nextSequence, next: next, lost)]
    }

    func end(_ segment: SegmentEnd) throws -> [EvidenceItem] {
        var items = try take(decoder?.finish() ?? [])
        if let last = held {
            held = nil
            // The next segment's own decoder takes over exactly where it starts.
            let end = segment.isLast ? Int64.max : sample(atNanoseconds: segment.endNanoseconds)
            let kept = max(0, min(Int64(last.samples.count), end - last.startSample))
            items += try analyze(AudioBlock(startSample: last.startSample, samples: Array(last.samples.prefix(Int(kept)))))
        }
        if let decoder { tally += decoder.tally }
        decoder = nil
        expectedSegment = segment.index &+ 1
        guard segment.isLast else { return items }
        items += entries(try analyzer?.finish() ?? [])
        items.append(.end(segment: 0, sequence: nextSequence, endNanoseconds: segment.endNanoseconds, isLast: true))
        return items
    }

    // MARK: -

    private var hopNanoseconds: Int64 { Int64(settings.hopSamples) * 1_000_000_000 / Int64(settings.sampleRateHz) }

    private func sample(atNanoseconds time: Int64) -> Int64 {
        Int64((Double(time) * Double(settings.sampleRateHz) / 1e9).rounded())
    }

    private func openLog(first: UInt64, startNanoseconds: Int64, present: Bool) -> [EvidenceItem] {
        guard !isOpen else { return [] }
        isOpen = true
        return [.open(segment: 0, first: first, startNanoseconds: startNanoseconds, present: present)]
    }

    private func take(_ blocks: [AudioBlock]) throws -> [EvidenceItem] {
        var items: [EvidenceItem] = []
        for block in blocks {
            if let held { items += try analyze(held) }
            held = block
        }
        return items
    }

    private func analyze(_ block: AudioBlock) throws -> [EvidenceItem] {
        let early = max(0, min(Int64(block.samples.count), startSample - block.startSample))
        let samples = early == 0 ? block.samples : Array(block.samples.dropFirst(Int(early)))
        guard !samples.isEmpty else { return [] }
        return entries(try analyzer?.append(samples: samples, startSample: block.startSample + early) ?? [])
    }

    private func entries(_ windows: [VoiceWindow]) -> [EvidenceItem] {
        windows.map { window in
            let body = Adreact_V1_VoiceWindow.with {
                $0.startNanoseconds = window.startNanoseconds
                $0.endNanoseconds = window.endNanoseconds
                switch window.outcome {
                case .speech(let speech):
                    $0.speech.startNanoseconds = speech.startNanoseconds
                    $0.speech.endNanoseconds = speech.endNanoseconds
                    $0.speech.logits = speech.logits
                    if let relative = speech.relativeLogits, let baseline = classifier.baseline {
                        $0.speech.relativeLogits = relative
                        $0.speech.baseline.populationMeanRelativeLogits = baseline.populationMeanRelativeLogits
                        $0.speech.baseline.bias = baseline.bias
                        $0.speech.baseline.shrinkageWindows = baseline.shrinkageWindows
                        $0.speech.baseline.mixingWindows = baseline.mixingWindows
                    }
                    $0.speech.energyDbfs = speech.energyDBFS
                case .skipped(let reason):
                    $0.skippedReason = reason.rawValue
                }
            }
            nextSequence = UInt64(window.index) + 1
            return .entry(
                segment: 0, sequence: UInt64(window.index), startNanoseconds: window.startNanoseconds,
                durationNanoseconds: hopNanoseconds, body)
        }
    }
}
