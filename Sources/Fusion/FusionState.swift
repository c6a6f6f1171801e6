/// Fuses the evidence of one session into its timeline: a pure state machine, without clock, locks or input and output.
///
/// Evidence and coverage go in, in any order, as often as they are delivered; timeline events come out. Fusion advances
/// on coverage alone: a window is final once no evidence to come can change it. The final windows and rows of a session
/// are the same, bit for bit, whatever the interleaving, under one promise of the caller's: **a stretch is covered only
/// after the evidence in it has been added.** What belongs to `[start, end)` of a lane is told by where it *starts*:
///
/// | lane | `cover(lane, start, end)` promises |
/// |---|---|
/// | voice | every voice window (not speech part) that starts in `[start, end)` has been examined, and its evidence, if it has any, added |
/// | face | every frame with its time in `[start, end)` has been added, with or without a face |
/// | pulse | every pulse clip that starts in `[start, end)` has been added |
///
/// A lane whose track is over is ended, with the end of the track; a lane that the session does not have is ended as
/// not present. When every lane is ended or covered up to the session's end, and `endSession` has been called, the last
/// windows, the last row and `.ended` come out.
///
/// ```swift
/// var fusion = FusionState(session: "clip")
/// try fusion.endLane(.pulse, trackEndNanoseconds: 0, present: false)
/// try fusion.add(VoiceEvidence(index: 0, startNanoseconds: 0, endNanoseconds: 2_000_000_000, logits: [2, 0, 0], energyDBFS: -20))
/// let events = try fusion.cover(.voice, startNanoseconds: 0, endNanoseconds: 500_000_000)
/// ```
///
/// It takes O(log n) per piece of evidence, amortised, and keeps only what can still change something (and, while a
/// lane is missing, what can be amended).
public struct FusionState: Sendable {
    public let session: String
    public let settings: FusionSettings
    private var coverage = SessionCoverage()
    private var inbox = Inbox()
    private var engine: TimelineEngine
    private var history = AmendmentHistory()
    private var snapshotRevision: UInt64
    private var hasEnded = false

    /// - Parameter firstSnapshotRevision: the revision of the first provisional snapshot. A caller that resumes a
    ///   session passes a number above those it has published.
    public init(session: String, settings: FusionSettings = FusionSettings(), firstSnapshotRevision: UInt64 = 1) {
        self.session = session
        self.settings = settings
        snapshotRevision = max(firstSnapshotRevision, 1) - 1
        engine = TimelineEngine(session: session, settings: settings)
    }

    /// Adds the evidence of a voice window. Known by its index: the first one counts, and others of this index change
    /// nothing.
    ///
    /// - Throws: `FusionError` where a time or a measure is out of range.
    @discardableResult
    public mutating func add(_ evidence: VoiceEvidence) throws(FusionError) -> Admission {
        let part = try VoicePart(evidence, settings: settings)
        if hasEnded { return .late }
        guard part.start >= coverage.frontier(.voice) else { return history.add(part) }
        coverage.witness(part.end)
        return inbox.insert(part) ? .accepted : .duplicate
    }

    /// Adds the evidence of a video frame. Known by its presentation time: the first one counts.
    ///
    /// - Throws: `FusionError` where a time or a measure is out of range.
    @discardableResult
    public mutating func add(_ evidence: FaceEvidence) throws(FusionError) -> Admission {
        let frame = try FaceFrame(evidence, settings: settings)
        if hasEnded { return .late }
        guard frame.pts >= coverage.frontier(.face) else { return history.add(frame) }
        coverage.witness(frame.pts)
        return inbox.insert(frame) ? .accepted : .duplicate
    }

    /// Adds the evidence of a pulse clip. Known by its index: the first one counts.
    ///
    /// - Throws: `FusionError` where a time or a measure is out of range.
    @discardableResult
    public mutating func add(_ evidence: PulseEvidence) throws(FusionError) -> Admission {
        let clip = try PulsePart(evidence, settings: settings)
        if hasEnded { return .late }
        guard clip.start >= coverage.frontier(.pulse) else { return history.add(clip) }
        return inbox.insert(clip) ? .accepted : .duplicate
    }

    /// `[start, end)` of a lane has been examined, and all evidence that starts in it has been added (see the type's
    /// table). `end` may pass the end of the track by less than a second.
    ///
    /// - Throws: `FusionError` where a time is out of range, or the end lies before the start.
    public mutating func cover(
        _ lane: Lane, startNanoseconds: Int64, endNanoseconds: Int64
    ) throws(FusionError) -> [TimelineEvent] {
        try check(startNanoseconds, endNanoseconds, lane: lane)
        if hasEnded { return [] }
        let recovered = coverage[lane].examine(from: startNanoseconds, to: endNanoseconds)
        coverage.witnessCover(endingAt: endNanoseconds)
        return recovered && !history.isEmpty ? amend() : advance()
    }

    /// `[start, end)` of a lane will never be examined, but for what has been already. Windows and rows say so. Where
    /// the reason is `.missing`, evidence and coverage that come after all amend them, within
    /// `FusionSettings.amendmentReachNanoseconds`.
    ///
    /// - Throws: `FusionError` where a time is out of range, or the end lies before the start.
    public mutating func neverCover(
        _ lane: Lane, startNanoseconds: Int64, endNanoseconds: Int64, reason: CoverageLoss
    ) throws(FusionError) -> [TimelineEvent] {
        try check(startNanoseconds, endNanoseconds, lane: lane)
        if hasEnded { return [] }
        if coverage[lane].hasUnknown(from: startNanoseconds, to: endNanoseconds), reason == .missing {
            history.anchor(engine, coverage: coverage, settings: settings)
        }
        coverage[lane].giveUp(from: startNanoseconds, to: endNanoseconds, reason: reason)
        coverage.witnessCover(endingAt: endNanoseconds)
        return advance()
    }

    /// Nothing of a lane starts at or after `trackEndNanoseconds`; what comes before still has to be covered. With
    /// `present: false` there is no such track, the time is ignored, and whatever has not been covered never will be.
    /// The first call for a lane counts.
    ///
    /// - Throws: `FusionError` where the time is out of range.
    public mutating func endLane(
        _ lane: Lane, trackEndNanoseconds: Int64, present: Bool
    ) throws(FusionError) -> [TimelineEvent] {
        if present {
            try Check.moment(trackEndNanoseconds, named: "trackEndNanoseconds", lane: lane, settings: settings)
        }
        if hasEnded { return [] }
        if present {
            coverage[lane].end(at: trackEndNanoseconds)
            coverage.witness(trackEndNanoseconds)
        } else {
            coverage[lane].endAbsent()
        }
        return advance()
    }

    /// The session ends at `endNanoseconds`, or at the latest evidence if that is later. The first call counts.
    ///
    /// - Throws: `FusionError` where the time is out of range.
    public mutating func endSession(endNanoseconds: Int64) throws(FusionError) -> [TimelineEvent] {
        try Check.moment(endNanoseconds, named: "endNanoseconds", lane: nil, settings: settings)
        if hasEnded { return [] }
        coverage.endSession(at: endNanoseconds)
        return advance()
    }

    /// The windows that are not final yet, as they would be if nothing else came: a snapshot that replaces every
    /// earlier one. It takes O(m log m) for m pieces of evidence past the final windows.
    public mutating func provisional() -> [TimelineWindow] {
        if hasEnded { return [] }
        snapshotRevision += 1
        var engine = engine
        var inbox = inbox
        var nothing = AmendmentHistory()
        engine.take(from: &inbox, frontiers: .infinite, history: &nothing)
        return engine.removeFinalWindows(frontiers: .infinite, coverage: coverage).map {
            $0.with(index: $0.index, revision: snapshotRevision, isFinal: false)
        }
    }

    /// How far the session has come, and what it holds in memory.
    public var progress: FusionProgress {
        FusionProgress(
            voiceFrontierNanoseconds: coverage.frontier(.voice), faceFrontierNanoseconds: coverage.frontier(.face),
            pulseFrontierNanoseconds: coverage.frontier(.pulse), rowCount: engine.rowCount,
            pendingEvidenceCount: inbox.count, retainedEvidenceCount: history.evidenceCount, hasEnded: hasEnded)
    }

    private func check(_ start: Int64, _ end: Int64, lane: Lane) throws(FusionError) {
        try Check.moment(start, named: "startNanoseconds", lane: lane, settings: settings)
        try Check.moment(end, named: "endNanoseconds", lane: lane, settings: settings)
        guard start <= end else {
            throw FusionError(
                code: .time, lane: lane, detail: "endNanoseconds \(end) is before startNanoseconds \(start)")
        }
    }

    private mutating func advance() -> [TimelineEvent] {
        let output = run()
        return history.record(output) + finish()
    }

    /// Goes back to before the lane went missing, and fuses what followed anew, with what has been delivered since.
    private mutating func amend() -> [TimelineEvent] {
        guard let past = history.rewind(into: &inbox) else { return advance() }
        let present = engine
        engine = past
        let output = run()
        return history.amend(with: output, engine: &engine, previously: present) + finish()
    }

    private mutating func run() -> TimelineOutput {
        let frontiers = coverage.frontiers
        engine.take(from: &inbox, frontiers: frontiers, history: &history)
        return TimelineOutput(
            windows: engine.removeFinalWindows(frontiers: frontiers, coverage: coverage),
            rows: engine.removeFinalRows(frontiers: frontiers, coverage: coverage))
    }

    private mutating func finish() -> [TimelineEvent] {
        let needed = history.forget(engine: engine, coverage: coverage, settings: settings)
        coverage.forgetLosses(before: needed)
        guard let end = coverage.sessionEndNanoseconds, engine.hasHandedOutEverything(upTo: end, coverage.frontiers)
        else { return [] }
        hasEnded = true
        history = AmendmentHistory()
        inbox = Inbox()
        return [.ended(endNanoseconds: end)]
    }
}

/// How far a session has come, and what it holds in memory: for metrics, and to decide about backpressure.
public struct FusionProgress: Sendable, Equatable {
    /// Up to where each lane is known without a hole; `Int64.max` when it is over.
    public let voiceFrontierNanoseconds: Int64
    public let faceFrontierNanoseconds: Int64
    public let pulseFrontierNanoseconds: Int64
    /// Rows handed out.
    public let rowCount: Int64
    /// Evidence that waits for coverage.
    public let pendingEvidenceCount: Int
    /// Evidence kept for amendments.
    public let retainedEvidenceCount: Int
    public let hasEnded: Bool
}
