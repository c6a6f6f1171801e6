/// A session's timeline as a reader sees it: feed it the events, in the order in which they came, and it holds what is
/// valid now. Events may repeat.
public struct Timeline: Sendable, Equatable {
    public let session: String
    /// Where the session ended; nil while it goes on.
    public private(set) var endNanoseconds: Int64?
    private var finalWindows: [Key: TimelineWindow] = [:]
    private var rowsBySecond: [Int64: SecondRow] = [:]
    private var snapshot: [TimelineWindow] = []
    private var snapshotRevision: UInt64 = 0

    private struct Key: Hashable {
        let isEmotion: Bool
        let startNanoseconds: Int64
    }

    public init(session: String) {
        self.session = session
    }

    /// A timeline that is over.
    public init(session: String, events: [TimelineEvent]) {
        self.init(session: session)
        for event in events { apply(event) }
    }

    /// The final windows, ordered by lane, then by start.
    public var windows: [TimelineWindow] { finalWindows.values.sorted(by: TimelineWindow.isInFileOrder) }

    /// The windows of the latest snapshot that no final window has replaced, ordered by lane, then by start.
    public var provisionalWindows: [TimelineWindow] { snapshot.sorted(by: TimelineWindow.isInFileOrder) }

    /// The rows, ordered by second.
    public var rows: [SecondRow] { rowsBySecond.values.sorted { $0.second < $1.second } }

    /// How much of the session is known: its end, or as far as windows and rows reach.
    public var lengthNanoseconds: Int64 {
        if let endNanoseconds { return endNanoseconds }
        let lastWindow = finalWindows.values.map(\.endNanoseconds).max() ?? 0
        let lastRow = rowsBySecond.keys.max().map { ($0 + 1) * nanosecondsPerSecond } ?? 0
        return max(lastWindow, lastRow)
    }

    public mutating func apply(_ event: TimelineEvent) {
        switch event {
        case .window(let window) where window.isFinal:
            let key = Key(isEmotion: window.lane.isEmotion, startNanoseconds: window.startNanoseconds)
            guard finalWindows[key].map({ $0.revision <= window.revision }) ?? true else { return }
            finalWindows[key] = window
            snapshot.removeAll { $0.lane.isEmotion == window.lane.isEmotion && $0.overlaps(window) }
        case .window(let window):
            guard window.revision >= snapshotRevision else { return }
            if window.revision > snapshotRevision { snapshot = [] }
            snapshotRevision = window.revision
            snapshot.removeAll { $0.lane.isEmotion == window.lane.isEmotion && $0.overlaps(window) }
            snapshot.append(window)
        case .retracted(let window):
            let key = Key(isEmotion: window.lane.isEmotion, startNanoseconds: window.startNanoseconds)
            if finalWindows[key]?.index == window.index { finalWindows[key] = nil }
        case .second(let row):
            guard rowsBySecond[row.second].map({ $0.revision <= row.revision }) ?? true else { return }
            rowsBySecond[row.second] = row
        case .ended(let end):
            endNanoseconds = end
            snapshot = []
        }
    }
}

extension TimelineWindow {
    func overlaps(_ other: TimelineWindow) -> Bool {
        startNanoseconds < other.endNanoseconds && other.startNanoseconds < endNanoseconds
    }

    /// Whether a window comes before another in a file: by session, then lane (voice, face, fused, pulse), then start.
    static func isInFileOrder(_ a: TimelineWindow, _ b: TimelineWindow) -> Bool {
        let ranks = (a.lane.rank, b.lane.rank)
        return (a.session, ranks.0, a.startNanoseconds, a.index) < (b.session, ranks.1, b.startNanoseconds, b.index)
    }
}

extension TimelineLane {
    var rank: Int {
        switch self {
        case .voice: 0
        case .face: 1
        case .fused: 2
        case .pulse: 3
        }
    }
}
