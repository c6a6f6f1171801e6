import Fusion
import NodeKit
import StreamLog
import SwiftProtobuf
import Wire
import ZeroMQTransport

/// One session in the fusion node: evidence messages in, timeline messages out. Pure: no sockets, no clock.
package struct SessionFusion {
    private let name: String
    private let instance: String
    private var fusion: FusionState
    private var session: Adreact_V1_Session?
    private var nextSequence: [String: UInt64] = [:]
    /// Up to where each evidence log has been examined.
    private var examined: [LogID: Int64] = [:]
    private var laneEnds: [Lane: Int64] = [:]
    private var failures: [Lane: Adreact_V1_Failure] = [:]
    package private(set) var isOver = false
    /// When something was last heard of a lane, in seconds of a monotonic clock.
    private var heard: [Lane: Double] = [:]
    /// Evidence of a lane that fusion itself gave up stands in a log of this number.
    private static let missingSegment = UInt32.max
    private var captures = CaptureTimes()
    /// End of the newest media that any lane has examined.
    private var newestNanoseconds: Int64 = 0
    /// Evidence that came after its time was final, by lane.
    private(set) var late: [Lane: Int] = [:]
    var hasFailed: Bool { !failures.isEmpty }

    package init(name: String, instance: String, settings: FusionSettings) {
        self.name = name
        self.instance = instance
        fusion = FusionState(session: name, settings: settings)
    }

    /// - Throws: `WireError` or `FusionError` for a message that makes no sense; it has changed nothing.
    package mutating func receive(_ message: WireMessage) throws -> [WireMessage] {
        let envelope = message.envelope
        guard let lane = Lane(rawValue: envelope.track) else { throw WireError.malformed("evidence of a track '\(envelope.track)'") }
        try check(envelope.mediaStartNanoseconds, envelope.mediaStartNanoseconds + envelope.mediaDurationNanoseconds)
        switch envelope.kind {
        case .info:
            // Announced anew, further on: a node that came back begins there, and what lies between is lost.
            let known = examined[envelope.log] ?? envelope.mediaStartNanoseconds
            examined[envelope.log] = max(known, envelope.mediaStartNanoseconds)
            guard envelope.mediaStartNanoseconds > known else { return try begin(message) }
            return try begin(message) + outputs(fusion.neverCover(
                lane, startNanoseconds: known, endNanoseconds: envelope.mediaStartNanoseconds, reason: .gap))
        case .data:
            try add(message, lane)
            // Frames come in the order of their times, but the next one's time is not known yet.
            let length = lane == .face ? 1 : envelope.mediaDurationNanoseconds
            return try cover(envelope.log, lane, upTo: envelope.mediaStartNanoseconds + length)
        case .gap:
            let gap = try message.decode(Adreact_V1_Gap.self)
            try check(gap.fromNanoseconds, gap.toNanoseconds)
            if envelope.segment == Self.missingSegment {
                return outputs(try fusion.neverCover(
                    lane, startNanoseconds: gap.fromNanoseconds, endNanoseconds: gap.toNanoseconds, reason: .missing))
            }
            examined[envelope.log] = max(examined[envelope.log] ?? 0, gap.toNanoseconds)
            return outputs(
                try fusion.neverCover(lane, startNanoseconds: gap.fromNanoseconds, endNanoseconds: gap.toNanoseconds, reason: .gap))
        case .end:
            let end = try message.decode(Adreact_V1_End.self)
            try check(0, end.endNanoseconds)
            return try envelope.segment == Self.missingSegment ? endLane(lane, end) : self.end(envelope.log, lane, end)
        default:
            return []
        }
    }

    /// Before anything is changed by it: fusion would refuse these times too, but after the log was taken to be examined up to there.
    private func check(_ start: Int64, _ end: Int64) throws(WireError) {
        try SessionTimes.check(start, end, longestNanoseconds: fusion.settings.maximumSessionNanoseconds)
    }

    /// Something of this message's lane was heard.
    ///
    /// - Parameter now: seconds of a monotonic clock.
    package mutating func hear(_ message: WireMessage, now: Double) {
        if let lane = Lane(rawValue: message.envelope.track) { heard[lane] = now }
    }

    /// In a live session, lanes of which nothing has been heard for so long, given up as missing as far as the others have
    /// come. The messages are evidence like any other: to be kept in the journal, then received.
    ///
    /// When nothing has been heard of any lane for `abandonSeconds`, the source has gone without a word: the session is ended.
    package mutating func silentLanes(now: Double, idleSeconds: Double, abandonSeconds: Double) -> [WireMessage] {
        guard session?.live == true, !isOver else { return [] }
        let progress = fusion.progress
        let frontiers: [Lane: Int64] = [
            .voice: progress.voiceFrontierNanoseconds, .face: progress.faceFrontierNanoseconds, .pulse: progress.pulseFrontierNanoseconds,
        ]
        // A lane that is over has no frontier to keep up with.
        let newest = Lane.allCases.filter { laneEnds[$0] == nil }.compactMap { frontiers[$0] }.max() ?? 0
        for lane in Lane.allCases where heard[lane] == nil { heard[lane] = now }
        let quietestSeconds = Lane.allCases.compactMap { heard[$0].map { now - $0 } }.min() ?? 0
        if quietestSeconds > abandonSeconds { return abandon(at: newest) }
        return Lane.allCases.compactMap { lane in
            let silence = now - (heard[lane] ?? now)
            guard laneEnds[lane] == nil, let frontier = frontiers[lane], frontier < newest, silence > idleSeconds else { return nil }
            let gap = Adreact_V1_Gap.with {
                $0.fromNanoseconds = frontier
                $0.toNanoseconds = newest
                $0.reason = "nothing heard"
                $0.nextSequence = 1
            }
            let log = LogID(session: name, track: lane.rawValue, segment: Self.missingSegment)
            return stamp(Envelope(.gap, log), frontier, newest, gap)
        }
    }

    private func abandon(at endNanoseconds: Int64) -> [WireMessage] {
        Lane.allCases.filter { laneEnds[$0] == nil }.map { lane in
            let log = LogID(session: name, track: lane.rawValue, segment: Self.missingSegment)
            return stamp(Envelope(.end, log, sequence: 1), 0, endNanoseconds, Adreact_V1_End.with {
                $0.endNanoseconds = endNanoseconds
                $0.last = true
                $0.failure = SessionFailure(
                    exitCode: ExitStatus.noInput, "\(session?.sourceName ?? name): the live source has gone without a word").wire
            })
        }
    }

    /// The windows that are still open, as they look now.
    package mutating func provisional() -> [WireMessage] {
        fusion.provisional().map { window in
            let log = LogID(session: name, track: window.lane.isEmotion ? TimelineTrack.emotion : TimelineTrack.pulse)
            return stamp(Envelope(.transient, log, sequence: window.index), window.startNanoseconds, window.endNanoseconds, Adreact_V1_TimelineWindow(window))
        }
    }

    var progress: Adreact_V1_SessionProgress {
        let progress = fusion.progress
        return .with {
            $0.session = name
            $0.durationNanoseconds = session?.durationNanoseconds ?? 0
            $0.coveredNanoseconds = [
                "voice": progress.voiceFrontierNanoseconds, "face": progress.faceFrontierNanoseconds,
                "pulse": progress.pulseFrontierNanoseconds,
            ]
        }
    }

    /// How far each lane is, and by how much the slowest lags behind the newest evidence of any.
    var status: Adreact_V1_SessionStatus {
        let open = progress.coveredNanoseconds.filter { $0.value < .max }
        return .with {
            $0.session = name
            $0.live = session?.live ?? false
            $0.reachedNanoseconds = open.merging(["received": newestNanoseconds]) { $1 }
            $0.lagNanoseconds = max(0, newestNanoseconds - (open.values.min() ?? newestNanoseconds))
        }
    }

    // MARK: -

    private mutating func begin(_ message: WireMessage) throws -> [WireMessage] {
        guard session == nil else { return [] }
        let info = try message.decode(Adreact_V1_Info.self)
        session = info.session
        return TimelineTrack.all.map { track in
            let log = LogID(session: name, track: track)
            return stamp(Envelope(.info, log), 0, 0, Adreact_V1_Info.with { $0.session = info.session })
        }
    }

    private mutating func add(_ message: WireMessage, _ lane: Lane) throws {
        switch lane {
        case .voice:
            let window = try message.decode(Adreact_V1_VoiceWindow.self)
            if let evidence = VoiceEvidence(window, index: message.envelope.sequence) { note(try fusion.add(evidence), lane) }
            note(window, message)
        case .face:
            let frame = try message.decode(Adreact_V1_FaceFrame.self)
            note(try fusion.add(FaceEvidence(frame)), lane)
            note(frame, message)
        case .pulse:
            let clip = try message.decode(Adreact_V1_PulseClip.self)
            if let evidence = PulseEvidence(clip, index: message.envelope.sequence) { note(try fusion.add(evidence), lane) }
            note(clip, message)
        }
    }

    private mutating func note(_ admission: Admission, _ lane: Lane) {
        if admission == .late { late[lane, default: 0] += 1 }
    }

    private mutating func note(_ evidence: some TimedEvidence, _ message: WireMessage) {
        captures.note(message.envelope.captureUnixNanoseconds, at: evidence.mediaEndNanoseconds)
    }

    private mutating func cover(_ log: LogID, _ lane: Lane, upTo end: Int64) throws -> [WireMessage] {
        let start = examined[log] ?? 0
        guard end > start else { return [] }
        examined[log] = end
        newestNanoseconds = max(newestNanoseconds, end)
        return outputs(try fusion.cover(lane, startNanoseconds: start, endNanoseconds: end))
    }

    private mutating func end(_ log: LogID, _ lane: Lane, _ end: Adreact_V1_End) throws -> [WireMessage] {
        let covered = try cover(log, lane, upTo: end.endNanoseconds)
        examined[log] = nil
        return end.last ? try covered + endLane(lane, end) : covered
    }

    private mutating func endLane(_ lane: Lane, _ end: Adreact_V1_End) throws -> [WireMessage] {
        if end.hasFailure { failures[lane] = end.failure }
        laneEnds[lane] = max(laneEnds[lane] ?? 0, end.endNanoseconds)
        // An empty track is no track.
        let present = end.endNanoseconds > 0 && !end.hasFailure
        var all = outputs(try fusion.endLane(lane, trackEndNanoseconds: end.endNanoseconds, present: present))
        if laneEnds.count == Lane.allCases.count {
            all += outputs(try fusion.endSession(endNanoseconds: laneEnds.values.max() ?? 0))
        }
        return all
    }

    private mutating func outputs(_ events: [TimelineEvent]) -> [WireMessage] {
        events.flatMap { event -> [WireMessage] in
            switch event {
            case .window(let window):
                let track = window.lane.isEmotion ? TimelineTrack.emotion : TimelineTrack.pulse
                return [append(track, window.startNanoseconds, window.endNanoseconds, Adreact_V1_TimelineWindow(window))]
            case .retracted(let retraction):
                let track = retraction.lane.isEmotion ? TimelineTrack.emotion : TimelineTrack.pulse
                return [append(track, retraction.startNanoseconds, retraction.endNanoseconds, Adreact_V1_TimelineWindow(retraction))]
            case .second(let row):
                let start = row.second * 1_000_000_000
                return [append(TimelineTrack.seconds, start, start + 1_000_000_000, Adreact_V1_TimelineSecond(row))]
            case .ended(let end):
                isOver = true
                return TimelineTrack.all.map { close($0, end) }
            }
        }
    }

    private mutating func append(_ track: String, _ start: Int64, _ end: Int64, _ body: any Message) -> WireMessage {
        let sequence = nextSequence[track, default: 0]
        nextSequence[track] = sequence + 1
        let log = LogID(session: name, track: track)
        return stamp(Envelope(.data, log, sequence: sequence), start, end, body)
    }

    private func close(_ track: String, _ endNanoseconds: Int64) -> WireMessage {
        let log = LogID(session: name, track: track)
        let body = Adreact_V1_End.with {
            $0.endNanoseconds = endNanoseconds
            $0.last = true
            if let failure = Lane.allCases.compactMap({ failures[$0] }).first { $0.failure = failure }
        }
        return stamp(Envelope(.end, log, sequence: nextSequence[track] ?? 0), 0, endNanoseconds, body)
    }

    private func stamp(_ envelope: Envelope, _ start: Int64, _ end: Int64, _ body: any Message) -> WireMessage {
        var envelope = envelope
        envelope.mediaStartNanoseconds = start
        envelope.mediaDurationNanoseconds = end - start
        envelope.captureUnixNanoseconds = captures.capture(at: end)
        envelope.sourceInstance = instance
        return WireMessage(envelope, body: body)
    }
}
