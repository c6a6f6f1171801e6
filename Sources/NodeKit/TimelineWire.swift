import Fusion
import Wire

/// The tracks of a timeline. Windows of voice, face and fused are one sequence: the emotion track.
public enum TimelineTrack {
    public static let emotion = "emotion"
    public static let pulse = "pulse-windows"
    public static let seconds = "seconds"
    public static let all = [emotion, pulse, seconds]
    /// As they may come from outside: none lies before the session, or more than a year after its start. In nanoseconds.
    package static let times: ClosedRange<Int64> = 0...366 * 24 * 3600 * 1_000_000_000
}

/// Evidence and timeline to and from the wire.
extension VoiceEvidence {
    /// The speech of a voice window; `nil` where there was none.
    package init?(_ window: Adreact_V1_VoiceWindow, index: UInt64) {
        guard window.hasSpeech, let index = Int64(exactly: index) else { return nil }
        self.init(
            index: index, startNanoseconds: window.speech.startNanoseconds, endNanoseconds: window.speech.endNanoseconds,
            logits: window.speech.logits,
            personal: window.speech.hasBaseline
                ? PersonalEvidence(relativeLogits: window.speech.relativeLogits, baseline: PersonalBaseline(window.speech.baseline)) : nil,
            energyDBFS: window.speech.energyDbfs)
    }
}

extension PersonalBaseline {
    package init(_ baseline: Adreact_V1_Baseline) {
        self.init(
            populationMeanRelativeLogits: baseline.populationMeanRelativeLogits, bias: baseline.bias,
            shrinkageWindows: baseline.shrinkageWindows, mixingWindows: baseline.mixingWindows)
    }
}

extension FaceEvidence {
    package init(_ frame: Adreact_V1_FaceFrame) {
        self.init(
            ptsNanoseconds: frame.ptsNanoseconds, durationNanoseconds: frame.durationNanoseconds > 0 ? frame.durationNanoseconds : nil,
            logits: frame.hasFace && !frame.face.logits.isEmpty ? frame.face.logits : nil, showsViewer: frame.hasFace,
            isAttentive: frame.hasFace && frame.face.head.facesScreen && frame.face.head.eyesOpen, faceCount: Int(frame.faceCount))
    }
}

extension PulseEvidence {
    package init?(_ clip: Adreact_V1_PulseClip, index: UInt64) {
        guard let index = Int64(exactly: index) else { return nil }
        self.init(
            index: index, startNanoseconds: clip.startNanoseconds, endNanoseconds: clip.endNanoseconds,
            heartRateBPM: clip.hasHeartRateBpm ? clip.heartRateBpm : nil, confidence: clip.confidence,
            signalQuality: clip.signalQuality, logits: clip.logits.isEmpty ? nil : clip.logits,
            personal: clip.hasBaseline
                ? PersonalEvidence(relativeLogits: clip.relativeLogits, baseline: PersonalBaseline(clip.baseline)) : nil)
    }
}

/// Shares and probabilities, with room for rounding.
private let shares = -0.001...1.001

extension Probabilities {
    /// `nil` where these are not three shares.
    package init?(_ values: [Double]) {
        guard values.count == 3, values.allSatisfy(shares.contains) else { return nil }
        self.init(positive: values[0], neutral: values[1], negative: values[2])
    }

    package var list: [Double] { [positive, neutral, negative] }
}

extension Adreact_V1_TimelineWindow {
    package init(_ window: TimelineWindow) {
        self = .with {
            $0.lane = window.lane.rawValue
            $0.index = window.index
            $0.startNanoseconds = window.startNanoseconds
            $0.endNanoseconds = window.endNanoseconds
            $0.label = window.label.description
            $0.probabilities = window.probabilities.list
            $0.final = window.isFinal
            $0.revision = window.revision
            if let voice = window.voice {
                $0.voice.probabilities = voice.probabilities.list
                $0.voice.windowCount = UInt32(clamping: voice.windowCount)
                $0.voice.energyDbfs = voice.energyDBFS
                if let windows = voice.baselineWindows { $0.voice.baselineWindows = windows }
            }
            if let face = window.face {
                $0.face.probabilities = face.probabilities.list
                $0.face.frameCount = UInt32(clamping: face.frameCount)
            }
            if let pulse = window.pulse {
                if let rate = pulse.heartRateBPM { $0.pulse.heartRateBpm = rate }
                $0.pulse.confidence = pulse.confidence
                $0.pulse.signalQuality = pulse.signalQuality
                $0.pulse.clipCount = UInt32(clamping: pulse.clipCount)
                if let contradicts = pulse.contradicts { $0.pulse.contradicts = contradicts }
            }
            $0.missing = window.missing.map(\.rawValue)
        }
    }

    package init(_ retraction: TimelineRetraction) {
        self = .with {
            $0.lane = retraction.lane.rawValue
            $0.index = retraction.index
            $0.startNanoseconds = retraction.startNanoseconds
            $0.endNanoseconds = retraction.endNanoseconds
            $0.revision = retraction.revision
            $0.final = true
            $0.retracted = true
        }
    }

    /// `nil` where the message is not one that this program understands, or that makes sense.
    package func event(session: String) -> TimelineEvent? {
        guard TimelineTrack.times.contains(startNanoseconds), TimelineTrack.times.contains(endNanoseconds), startNanoseconds <= endNanoseconds else { return nil }
        guard retracted else { return window(session: session).map { .window($0) } }
        return TimelineLane(rawValue: lane).map {
            .retracted(TimelineRetraction(
                session: session, lane: $0, index: index, revision: revision, startNanoseconds: startNanoseconds,
                endNanoseconds: endNanoseconds))
        }
    }

    private func window(session: String) -> TimelineWindow? {
        guard let lane = TimelineLane(rawValue: lane), let all = Probabilities(probabilities),
            let label = Emotion.allCases.first(where: { $0.description == label }), !hasPulse || pulse.isSound,
            !hasVoice || voice.energyDbfs.isFinite
        else { return nil }
        let voiceShare = hasVoice ? Probabilities(voice.probabilities).map {
            TimelineWindow.VoiceShare(probabilities: $0, windowCount: Int(voice.windowCount), energyDBFS: voice.energyDbfs,
                baselineWindows: voice.hasBaselineWindows ? voice.baselineWindows : nil)
        } : nil
        let faceShare = hasFace ? Probabilities(face.probabilities).map {
            TimelineWindow.FaceShare(probabilities: $0, frameCount: Int(face.frameCount))
        } : nil
        let pulseShare = hasPulse ? TimelineWindow.PulseShare(
            heartRateBPM: pulse.hasHeartRateBpm ? pulse.heartRateBpm : nil, confidence: pulse.confidence,
            signalQuality: pulse.signalQuality, clipCount: Int(pulse.clipCount),
            contradicts: pulse.hasContradicts ? pulse.contradicts : nil) : nil
        return TimelineWindow(
            session: session, lane: lane, index: index, isFinal: final, revision: revision, startNanoseconds: startNanoseconds,
            endNanoseconds: endNanoseconds, label: label, probabilities: all, voice: voiceShare, face: faceShare,
            pulse: pulseShare, missing: missing.compactMap(Lane.init(rawValue:)))
    }
}

extension Adreact_V1_TimelineSecond {
    package init(_ row: SecondRow) {
        self = .with {
            $0.second = UInt32(clamping: row.second)
            $0.revision = row.revision
            $0.probabilities = row.probabilities?.list ?? []
            $0.sources = row.sources.map(\.rawValue)
            $0.faceShare = row.faceShare
            if let share = row.viewerShare { $0.viewerShare = share }
            if let attention = row.attention { $0.attention = attention }
            $0.speechShare = row.speechShare
            if let count = row.faceCount { $0.faceCount = UInt32(clamping: count) }
            if let pulse = row.pulse {
                if let rate = pulse.heartRateBPM { $0.pulse.heartRateBpm = rate }
                $0.pulse.confidence = pulse.confidence
                $0.pulse.signalQuality = pulse.signalQuality
                $0.pulse.probabilities = pulse.probabilities?.list ?? []
            }
            $0.missing = row.missing.map(\.rawValue)
        }
    }

    /// `nil` where the message makes no sense.
    package func row(session: String) -> SecondRow? {
        guard Int64(second) < TimelineTrack.times.upperBound / 1_000_000_000, [faceShare, viewerShare, attention, speechShare].allSatisfy(shares.contains),
            !hasPulse || pulse.isSound
        else { return nil }
        return SecondRow(
            session: session, second: Int64(second), revision: revision, probabilities: Probabilities(probabilities),
            sources: sources.compactMap(TimelineLane.init(rawValue:)), faceShare: faceShare,
            viewerShare: hasViewerShare ? viewerShare : nil, attention: hasAttention ? attention : nil, speechShare: speechShare,
            faceCount: hasFaceCount ? Int(faceCount) : nil,
            pulse: hasPulse ? SecondRow.Pulse(
                heartRateBPM: pulse.hasHeartRateBpm ? pulse.heartRateBpm : nil, confidence: pulse.confidence,
                signalQuality: pulse.signalQuality, probabilities: Probabilities(pulse.probabilities)) : nil,
            missing: missing.compactMap(Lane.init(rawValue:)))
    }
}

extension Adreact_V1_TimelineWindow.PulseShare {
    fileprivate var isSound: Bool { [confidence, signalQuality].allSatisfy(shares.contains) && (!hasHeartRateBpm || heartRates.contains(heartRateBpm)) }
}

extension Adreact_V1_TimelineSecond.Pulse {
    fileprivate var isSound: Bool { [confidence, signalQuality].allSatisfy(shares.contains) && (!hasHeartRateBpm || heartRates.contains(heartRateBpm)) }
}

/// Wider than any heart.
private let heartRates = 0.0...1000
