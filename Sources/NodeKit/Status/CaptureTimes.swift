/// When the media of one live session were captured: wall-clock times by media time.
///
/// Told of single moments, it answers for those between them. It holds the latest `limit` ones and a few more, so that a session may go
/// on for days; what lies before them is taken to be as old as the first of them.
package struct CaptureTimes: Sendable {
    private struct Moment: Sendable {
        let mediaNanoseconds: Int64
        var captureUnixNanoseconds: Int64
    }

    private let limit: Int
    /// By media time, without equals.
    private var moments: [Moment] = []

    /// - Parameter limit: 16 bytes each. 8192 are four minutes of everything that three nodes make of a camera's picture.
    package init(limit: Int = 8192) { self.limit = limit }

    /// The media at `mediaNanoseconds` were captured at `captureUnixNanoseconds`; 0 (not live) tells nothing. Of two
    /// captures of one moment the later one counts.
    package mutating func note(_ captureUnixNanoseconds: Int64, at mediaNanoseconds: Int64) {
        guard (1..<1 << 62).contains(captureUnixNanoseconds) else { return }
        let place = firstAfter(mediaNanoseconds)
        if place > 0, moments[place - 1].mediaNanoseconds == mediaNanoseconds {
            let known = moments[place - 1].captureUnixNanoseconds
            moments[place - 1].captureUnixNanoseconds = max(known, captureUnixNanoseconds)
            return
        }
        moments.insert(Moment(mediaNanoseconds: mediaNanoseconds, captureUnixNanoseconds: captureUnixNanoseconds), at: place)
        // In lumps: removing the first one moves all others.
        if moments.count > limit + limit / 8 { moments.removeFirst(moments.count - limit) }
    }

    /// When the media at `mediaNanoseconds` were captured, in nanoseconds since 1970: interpolated between the neighbouring
    /// moments. 0: nothing is known of this session.
    package func capture(at mediaNanoseconds: Int64) -> Int64 {
        let place = firstAfter(mediaNanoseconds)
        guard place > 0 else { return moments.first?.captureUnixNanoseconds ?? 0 }
        let before = moments[place - 1]
        guard place < moments.count else { return before.captureUnixNanoseconds }
        let after = moments[place]
        let share = (Double(mediaNanoseconds) - Double(before.mediaNanoseconds))
            / (Double(after.mediaNanoseconds) - Double(before.mediaNanoseconds))
        return before.captureUnixNanoseconds
            + Int64(Double(after.captureUnixNanoseconds - before.captureUnixNanoseconds) * share)
    }

    private func firstAfter(_ mediaNanoseconds: Int64) -> Int {
        // Nearly always the end.
        if let last = moments.last, last.mediaNanoseconds <= mediaNanoseconds { return moments.count }
        var low = 0, high = moments.count
        while low < high {
            let middle = (low + high) / 2
            if moments[middle].mediaNanoseconds <= mediaNanoseconds { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
