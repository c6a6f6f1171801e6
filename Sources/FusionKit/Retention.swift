/// Which finished sessions are kept: those of the last days, as long as there is room. Pure: the time is a parameter.
///
/// A session's timeline may have to go before its name. While the name is known, evidence that comes late, or again, does not
/// open the session anew; once both are gone, the same recording may be analysed again.
package struct Retention: Sendable {
    package struct Settings: Sendable {
        /// How long a finished session is known, in days.
        package var keepDays: Int
        /// Of all finished timelines together, in bytes. The newest is kept whatever its size.
        package var keepBytes: Int
        /// So many finished sessions are known at most.
        package var maximumSessions = 10_000

        package init(keepDays: Int = 30, keepBytes: Int = 100 << 20) {
            self.keepDays = keepDays
            self.keepBytes = keepBytes
        }
    }

    package struct Expired: Equatable, Sendable {
        /// Sessions whose timelines go, and whose names stay.
        package var dropped: [String] = []
        /// Sessions of which nothing stays.
        package var forgotten: [String] = []

        package init(dropped: [String] = [], forgotten: [String] = []) {
            self.dropped = dropped
            self.forgotten = forgotten
        }
    }

    private let settings: Settings
    /// In the order of finishing.
    private var finished: [EvidenceJournal.Finished]

    package init(_ settings: Settings, finished: [EvidenceJournal.Finished] = []) {
        self.settings = settings
        self.finished = finished
    }

    package var byteCount: Int { finished.reduce(0) { $0 + $1.byteCount } }

    package mutating func add(_ session: EvidenceJournal.Finished) { finished.append(session) }

    /// What is too much at this time; it is not counted any more.
    package mutating func expire(unixSeconds now: Int64) -> Expired {
        var expired = Expired()
        let surplus = max(0, finished.count - settings.maximumSessions)
        let old = finished.enumerated().filter { place, session in
            place < surplus || now - session.unixSeconds > Int64(settings.keepDays) * 86_400
        }.map(\.element.session)
        expired.forgotten = old
        let gone = Set(old)
        finished.removeAll { gone.contains($0.session) }
        var bytes = byteCount
        for place in finished.indices.dropLast() where finished[place].byteCount > 0 {
            guard bytes > settings.keepBytes else { break }
            bytes -= finished[place].byteCount
            expired.dropped.append(finished[place].session)
            finished[place] = .init(session: finished[place].session, unixSeconds: finished[place].unixSeconds, byteCount: 0)
        }
        return expired
    }
}
