/// Turns evidence in time order into windows and rows. A value: a copy can run ahead (provisional windows) or be kept
/// to start anew from (amendments).
struct TimelineEngine: Sendable {
    let session: String
    private let faceWeight: Double
    private let usesPersonalBaseline: Bool
    private var voice = PersonalMean()
    private var heart = PersonalMean()
    private var emotion: EmotionMerger
    private var pulse = PulseMerger()
    private var emotionAlongside = EmotionAlongside()
    private var seconds = SecondTable()
    var nextEmotionIndex: UInt64 = 0
    var nextPulseIndex: UInt64 = 0

    init(session: String, settings: FusionSettings) {
        self.session = session
        faceWeight = settings.faceWeight
        usesPersonalBaseline = settings.usesPersonalBaseline
        emotion = EmotionMerger(reachNanoseconds: settings.frameReachNanoseconds)
    }

    var rowCount: Int64 { seconds.nextSecond }

    /// Takes the evidence whose surroundings are known.
    mutating func take(from inbox: inout Inbox, frontiers: Frontiers, history: inout AmendmentHistory) {
        while var part = inbox.removeVoice(before: frontiers.voice) {
            history.retain(part)
            if usesPersonalBaseline { part.personalise(&voice) }
            emotion.append(part)
        }
        emotion.closeVoice(before: frontiers.voice)
        let faceKnown = faceKnown(frontiers)
        while let frame = inbox.removeFace(before: faceKnown) {
            history.retain(frame)
            seconds.add(frame, speakingFor: emotion.append(frame))
        }
        while var clip = inbox.removePulse(before: frontiers.pulse) {
            history.retain(clip)
            clip.personalise(&heart, isUsed: usesPersonalBaseline)
            pulse.append(clip)
            seconds.add(clip)
        }
    }

    /// Windows that nothing to come can change: emotion windows in time order, then pulse windows in time order.
    mutating func removeFinalWindows(frontiers: Frontiers, coverage: SessionCoverage) -> [TimelineWindow] {
        var windows: [TimelineWindow] = []
        let faceKnown = faceKnown(frontiers)
        while let draft = emotion.removeFinal(faceKnown: faceKnown) {
            guard let window = window(draft, coverage: coverage) else { continue }
            nextEmotionIndex += 1
            seconds.add(window)
            emotionAlongside.append(window)
            windows.append(window)
        }
        let emotionSettled = emotion.settled(faceKnown: faceKnown)
        while let run = pulse.removeFinal(frontier: frontiers.pulse, emotionSettled: emotionSettled) {
            guard let window = window(run, coverage: coverage) else { continue }
            nextPulseIndex += 1
            windows.append(window)
        }
        emotionAlongside.forget(before: pulse.firstStart ?? frontiers.pulse)
        return windows
    }

    /// Rows of the seconds that nothing to come can change.
    mutating func removeFinalRows(frontiers: Frontiers, coverage: SessionCoverage) -> [SecondRow] {
        var rows: [SecondRow] = []
        let faceKnown = faceKnown(frontiers)
        let settled = min(emotion.settled(faceKnown: faceKnown), faceKnown, frontiers.voice, frontiers.pulse)
        let sessionEnd = coverage.sessionEndNanoseconds
        let lastEnd = min(settled, sessionEnd ?? coverage.witnessedNanoseconds)
        while true {
            let start = seconds.nextSecond * nanosecondsPerSecond
            let end = min(start + nanosecondsPerSecond, sessionEnd ?? endOfTime)
            guard start < end, end <= lastEnd else { return rows }
            let missing = coverage.missing(Lane.allCases, from: start, to: end)
            rows.append(seconds.removeNext(session: session, endingAt: end, missing: missing))
        }
    }

    /// All evidence that starts before this has been taken.
    func takenNanoseconds(_ frontiers: Frontiers) -> Int64 {
        min(faceKnown(frontiers), frontiers.voice, frontiers.pulse)
    }

    /// Nothing that ends before this will be handed out any more.
    func settledNanoseconds(_ frontiers: Frontiers) -> Int64 {
        min(
            emotion.settled(faceKnown: faceKnown(frontiers)), pulse.firstStart ?? frontiers.pulse,
            seconds.nextSecond * nanosecondsPerSecond)
    }

    func hasHandedOutEverything(upTo end: Int64, _ frontiers: Frontiers) -> Bool {
        frontiers == .infinite && pulse.firstStart == nil && emotion.settled(faceKnown: endOfTime) == endOfTime
            && seconds.nextSecond * nanosecondsPerSecond >= end
    }

    /// Frames are taken only where both they and the voice windows around them are known.
    private func faceKnown(_ frontiers: Frontiers) -> Int64 {
        min(frontiers.face, emotion.voiceKnown(upTo: frontiers.voice))
    }

    private func window(_ draft: EmotionDraft, coverage: SessionCoverage) -> TimelineWindow? {
        switch draft {
        case .face(let run):
            guard let probabilities = run.mean.probabilities else { return nil }
            return emotionWindow(
                .face, from: run.start, to: run.end, probabilities: probabilities, voice: nil,
                face: .init(probabilities: probabilities, frameCount: run.mean.count), coverage: coverage)
        case .voice(let group):
            guard let voice = group.voice.probabilities else { return nil }
            let share = TimelineWindow.VoiceShare(
                probabilities: voice, windowCount: group.voice.count,
                energyDBFS: group.energySumDBFS / Double(group.voice.count), baselineWindows: group.baselineWindows)
            guard let face = group.face.probabilities else {
                return emotionWindow(
                    .voice, from: group.start, to: group.end, probabilities: voice, voice: share, face: nil,
                    coverage: coverage)
            }
            let mean = Probabilities(voice.vector * (1 - faceWeight) + face.vector * faceWeight)
            return emotionWindow(
                .fused, from: group.start, to: group.end, probabilities: mean, voice: share,
                face: .init(probabilities: face, frameCount: group.face.count), coverage: coverage)
        }
    }

    private func emotionWindow(
        _ lane: TimelineLane, from start: Int64, to end: Int64, probabilities: Probabilities,
        voice: TimelineWindow.VoiceShare?, face: TimelineWindow.FaceShare?, coverage: SessionCoverage
    ) -> TimelineWindow {
        TimelineWindow(
            session: session, lane: lane, index: nextEmotionIndex, isFinal: true, revision: 0, startNanoseconds: start,
            endNanoseconds: end, label: probabilities.mostLikely, probabilities: probabilities, voice: voice,
            face: face, missing: coverage.missing(voice == nil ? [.voice, .face] : [.face], from: start, to: end))
    }

    private func window(_ run: PulseRun, coverage: SessionCoverage) -> TimelineWindow? {
        guard let probabilities = run.mean.probabilities else { return nil }
        return TimelineWindow(
            session: session, lane: .pulse, index: nextPulseIndex, isFinal: true, revision: 0,
            startNanoseconds: run.start, endNanoseconds: run.end, label: probabilities.mostLikely,
            probabilities: probabilities,
            pulse: run.share(contradicts: emotionAlongside.isContradicted(by: run, probabilities)),
            missing: coverage.missing([.pulse], from: run.start, to: run.end))
    }
}
