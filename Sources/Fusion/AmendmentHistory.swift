/// What it takes to amend windows after they became final: while a lane is missing, the engine as it was before, all
/// evidence taken since, and all that was said since. When the lane delivers after all, the engine starts anew from
/// there, and the difference between what it says now and what it said then is the amendment.
///
/// Empty while no lane is missing: a recording's session never keeps any history.
struct AmendmentHistory: Sendable {
    /// Engines to start anew from, ascending; the logs below begin at the first.
    private var anchors: [Anchor] = []
    private var voice = Queue<VoicePart>()
    private var face = Queue<FaceFrame>()
    private var pulse = Queue<PulsePart>()
    private var windows = Queue<TimelineWindow>()
    private var rows = Queue<SecondRow>()
    /// Evidence that came too late, and waits for its coverage.
    private var late = Inbox()
    private var voiceIndices: Set<Int64> = []
    private var facePts: Set<Int64> = []
    private var pulseIndices: Set<Int64> = []
    /// The revision of the latest amendment; 0 before the first.
    private var revision: UInt64 = 0
    /// What has been said for final at least once: windows that start before these ends, and rows before this count.
    private var saidEmotionEnd: Int64 = 0
    private var saidPulseEnd: Int64 = 0
    private var saidRowCount: Int64 = 0

    private struct Anchor: Sendable {
        let engine: TimelineEngine
        let frontiers: Frontiers
        /// How far the session had come, and before which nothing was open.
        let position: Int64
        let settled: Int64
        var voicePosition = 0
        var facePosition = 0
        var pulsePosition = 0
        var windowPosition = 0
        var rowPosition = 0
    }

    var isEmpty: Bool { anchors.isEmpty }
    var evidenceCount: Int { voice.count + face.count + pulse.count + late.count }

    /// A lane is about to be given up as missing: keeps the engine as it is, unless a recent one is kept already.
    mutating func anchor(_ engine: TimelineEngine, coverage: SessionCoverage, settings: FusionSettings) {
        let reach = settings.amendmentReachNanoseconds
        let frontiers = coverage.frontiers
        let position = Self.position(of: engine, coverage)
        guard reach > 0 else { return }
        if let newest = anchors.last, position - newest.position < reach / 2 { return }
        anchors.append(
            Anchor(
                engine: engine, frontiers: frontiers, position: position,
                settled: engine.settledNanoseconds(frontiers), voicePosition: voice.endPosition,
                facePosition: face.endPosition, pulsePosition: pulse.endPosition,
                windowPosition: windows.endPosition, rowPosition: rows.endPosition))
    }

    /// How far evidence has been taken. (Not how far windows are final: one may stay open for hours.)
    private static func position(of engine: TimelineEngine, _ coverage: SessionCoverage) -> Int64 {
        min(engine.takenNanoseconds(coverage.frontiers), coverage.witnessedNanoseconds)
    }

    // MARK: Evidence

    mutating func retain(_ part: VoicePart) {
        guard !isEmpty else { return }
        voice.append(part)
        voiceIndices.insert(part.index)
    }

    mutating func retain(_ frame: FaceFrame) {
        guard !isEmpty else { return }
        face.append(frame)
        facePts.insert(frame.pts)
    }

    mutating func retain(_ clip: PulsePart) {
        guard !isEmpty else { return }
        pulse.append(clip)
        pulseIndices.insert(clip.index)
    }

    /// Evidence from before its lane's frontier: counts if it can still amend something.
    mutating func add(_ part: VoicePart) -> Admission {
        guard let anchor = anchors.first, part.start >= anchor.frontiers.voice else { return .late }
        return !voiceIndices.contains(part.index) && late.insert(part) ? .accepted : .duplicate
    }

    mutating func add(_ frame: FaceFrame) -> Admission {
        guard let anchor = anchors.first, frame.pts >= anchor.frontiers.face else { return .late }
        return !facePts.contains(frame.pts) && late.insert(frame) ? .accepted : .duplicate
    }

    mutating func add(_ clip: PulsePart) -> Admission {
        guard let anchor = anchors.first, clip.start >= anchor.frontiers.pulse else { return .late }
        return !pulseIndices.contains(clip.index) && late.insert(clip) ? .accepted : .duplicate
    }

    // MARK: What has been said

    /// Notes what has become final, and makes events of it.
    mutating func record(_ output: TimelineOutput) -> [TimelineEvent] {
        let windows = output.windows.map { $0.with(index: $0.index, revision: revision(of: $0)) }
        let rows = output.rows.map { $0.with(revision: $0.second < saidRowCount ? revision : 0) }
        if !isEmpty {
            for window in windows { self.windows.append(window) }
            for row in rows { self.rows.append(row) }
        }
        noteAsSaid(windows, rows)
        return windows.map(TimelineEvent.window) + rows.map(TimelineEvent.second)
    }

    /// Puts all evidence since the first anchor back, and returns the engine as it was then; nil without an anchor.
    mutating func rewind(into inbox: inout Inbox) -> TimelineEngine? {
        guard let anchor = anchors.first else { return nil }
        while let part = voice.removeFirst() { _ = inbox.insert(part) }
        while let frame = face.removeFirst() { _ = inbox.insert(frame) }
        while let clip = pulse.removeFirst() { _ = inbox.insert(clip) }
        while let part = late.removeVoice(before: endOfTime) { _ = inbox.insert(part) }
        while let frame = late.removeFace(before: endOfTime) { _ = inbox.insert(frame) }
        while let clip = late.removePulse(before: endOfTime) { _ = inbox.insert(clip) }
        voiceIndices = []
        facePts = []
        pulseIndices = []
        anchors = [
            Anchor(
                engine: anchor.engine, frontiers: anchor.frontiers, position: anchor.position, settled: anchor.settled)
        ]
        voice = Queue()
        face = Queue()
        pulse = Queue()
        return anchor.engine
    }

    /// After `rewind` and a new run: makes events of the difference to what had been said.
    mutating func amend(
        with output: TimelineOutput, engine: inout TimelineEngine, previously present: TimelineEngine
    ) -> [TimelineEvent] {
        var saidWindows: [TimelineWindow] = []
        while let window = windows.removeFirst() { saidWindows.append(window) }
        var saidRows: [Int64: SecondRow] = [:]
        while let row = rows.removeFirst() { saidRows[row.second] = row }
        windows = Queue()
        rows = Queue()

        let amendment = revision + 1
        let said = Dictionary(saidWindows.map { (WindowKey($0), $0) }, uniquingKeysWith: { first, _ in first })
        var stands: Set<WindowKey> = []
        var newWindows: [TimelineWindow] = []
        engine.nextEmotionIndex = present.nextEmotionIndex
        engine.nextPulseIndex = present.nextPulseIndex
        for window in output.windows {
            if let before = said[WindowKey(window)], window.with(index: before.index, revision: before.revision) == before {
                stands.insert(WindowKey(window))
                windows.append(before)
                continue
            }
            let isRevised = window.startNanoseconds < saidEnd(window.lane)
            let next = window.with(
                index: window.lane.isEmotion ? engine.nextEmotionIndex : engine.nextPulseIndex,
                revision: isRevised ? amendment : 0)
            if window.lane.isEmotion { engine.nextEmotionIndex += 1 } else { engine.nextPulseIndex += 1 }
            newWindows.append(next)
            windows.append(next)
        }
        let retracted = saidWindows.filter { !stands.contains(WindowKey($0)) }

        var newRows: [SecondRow] = []
        for row in output.rows {
            if let before = saidRows[row.second], row.with(revision: before.revision) == before {
                rows.append(before)
                continue
            }
            let next = row.with(revision: row.second < saidRowCount ? amendment : 0)
            newRows.append(next)
            rows.append(next)
        }

        let changesWhatWasSaid =
            !retracted.isEmpty || newWindows.contains { $0.revision > 0 } || newRows.contains { $0.revision > 0 }
            || output.rows.count < saidRows.count
        if changesWhatWasSaid { revision = amendment }
        noteAsSaid(newWindows, newRows)
        return retracted.map { .retracted($0.retraction(revision: amendment)) }
            + newWindows.map(TimelineEvent.window) + newRows.map(TimelineEvent.second)
    }

    /// Forgets what is out of the amendments' reach, or of no more use. Returns the moment before which losses can be
    /// forgotten too.
    mutating func forget(engine: TimelineEngine, coverage: SessionCoverage, settings: FusionSettings) -> Int64 {
        let settled = engine.settledNanoseconds(coverage.frontiers)
        guard !isEmpty else { return settled }
        let oldest = Self.position(of: engine, coverage) - settings.amendmentReachNanoseconds
        guard coverage.hasAmendableLoss(after: oldest) else {
            forgetEverything()
            return settled
        }
        while anchors.count > 1, anchors[1].position <= oldest {
            anchors.removeFirst()
            trim(to: anchors[0])
        }
        return anchors[0].settled
    }

    private mutating func forgetEverything() {
        var next = AmendmentHistory()
        next.revision = revision
        next.saidEmotionEnd = saidEmotionEnd
        next.saidPulseEnd = saidPulseEnd
        next.saidRowCount = saidRowCount
        self = next
    }

    private mutating func trim(to anchor: Anchor) {
        while voice.startPosition < anchor.voicePosition, let part = voice.removeFirst() {
            voiceIndices.remove(part.index)
        }
        while face.startPosition < anchor.facePosition, let frame = face.removeFirst() { facePts.remove(frame.pts) }
        while pulse.startPosition < anchor.pulsePosition, let clip = pulse.removeFirst() {
            pulseIndices.remove(clip.index)
        }
        while windows.startPosition < anchor.windowPosition { _ = windows.removeFirst() }
        while rows.startPosition < anchor.rowPosition { _ = rows.removeFirst() }
    }

    private mutating func noteAsSaid(_ windows: [TimelineWindow], _ rows: [SecondRow]) {
        for window in windows {
            if window.lane.isEmotion {
                saidEmotionEnd = max(saidEmotionEnd, window.endNanoseconds)
            } else {
                saidPulseEnd = max(saidPulseEnd, window.endNanoseconds)
            }
        }
        if let last = rows.last { saidRowCount = max(saidRowCount, last.second + 1) }
    }

    private func saidEnd(_ lane: TimelineLane) -> Int64 { lane.isEmotion ? saidEmotionEnd : saidPulseEnd }

    /// 0 the first time that something is said of a stretch.
    private func revision(of window: TimelineWindow) -> UInt64 {
        window.startNanoseconds < saidEnd(window.lane) ? revision : 0
    }
}

/// What has become final at once.
struct TimelineOutput: Sendable {
    let windows: [TimelineWindow]
    let rows: [SecondRow]
}

private struct WindowKey: Hashable {
    let isEmotion: Bool
    let start: Int64

    init(_ window: TimelineWindow) {
        isEmotion = window.lane.isEmotion
        start = window.startNanoseconds
    }
}

extension TimelineWindow {
    func with(index: UInt64, revision: UInt64, isFinal: Bool = true) -> TimelineWindow {
        TimelineWindow(
            session: session, lane: lane, index: index, isFinal: isFinal, revision: revision,
            startNanoseconds: startNanoseconds, endNanoseconds: endNanoseconds, label: label,
            probabilities: probabilities, voice: voice, face: face, pulse: pulse, missing: missing)
    }

    func retraction(revision: UInt64) -> TimelineRetraction {
        TimelineRetraction(
            session: session, lane: lane, index: index, revision: revision, startNanoseconds: startNanoseconds,
            endNanoseconds: endNanoseconds)
    }
}

extension SecondRow {
    func with(revision: UInt64) -> SecondRow {
        SecondRow(
            session: session, second: second, revision: revision, probabilities: probabilities, sources: sources,
            faceShare: faceShare, viewerShare: viewerShare, attention: attention, speechShare: speechShare, faceCount: faceCount,
            pulse: pulse, missing: missing)
    }
}
