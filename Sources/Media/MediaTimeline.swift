/// Brings the times that a container states to media time: nanoseconds from the start of the earliest track, audio
/// without jitter, and bounded whatever the file says.
///
/// - Audio goes on by the durations of its packets as long as the container agrees within `jitterNanoseconds`
///   (Matroska rounds to milliseconds). Beyond that, a later time is a real gap, and packets that lie before the end of
///   what there is already are dropped.
/// - A jump beyond `maximumJumpNanoseconds`, or back by more than `maximumReturnNanoseconds`, is a discontinuity: the
///   track goes on where it was. The other track takes over the same correction if it fits it, so that both stay
///   together.
/// - A track that claims to begin further than `maximumJumpNanoseconds` from the other begins with it.
package struct MediaTimeline: Sendable {
    package static let jitterNanoseconds: Int64 = 20_000_000
    package static let maximumReturnNanoseconds: Int64 = 10_000_000_000
    /// For containers whose times may jump by design (MPEG streams): a splice.
    package static let spliceNanoseconds: Int64 = 10_000_000_000
    /// For all others, where a long jump may well be one still picture.
    package static let stillNanoseconds: Int64 = 600_000_000_000

    /// Times of a packet as the container states them, in nanoseconds.
    package struct StatedTimes: Sendable {
        package var pts: Int64?
        package var dts: Int64?
        package var durationNanoseconds: Int64
        /// Audio: how many samples the packet holds, if that is known to the sample.
        package var sampleCount: Int?

        package init(pts: Int64?, dts: Int64?, durationNanoseconds: Int64, sampleCount: Int? = nil) {
            self.pts = MediaTimeline.plausible(pts)
            self.dts = MediaTimeline.plausible(dts)
            self.durationNanoseconds = durationNanoseconds
            self.sampleCount = sampleCount
        }
    }

    private struct Track {
        /// Added to what the container states.
        var correction: Int64
        var sampleRateHz: Int64
        /// Where the next packet is expected (audio: presentation, video: decoding), once there was one.
        var expected: Int64?
        /// Audio: the expected time in whole samples from an anchor, so that rounding does not add up.
        var anchor: Int64 = 0
        var samplesSinceAnchor: Int64 = 0
    }

    private let maximumJumpNanoseconds: Int64
    private var tracks: [TrackKind: Track] = [:]

    /// - Parameter startNanoseconds: the stated time that becomes 0.
    package init(
        startNanoseconds: Int64, timesMayJump: Bool, audioSampleRateHz: Int?, hasVideo: Bool
    ) {
        maximumJumpNanoseconds = timesMayJump ? Self.spliceNanoseconds : Self.stillNanoseconds
        let start = Self.plausible(startNanoseconds) ?? 0
        if let rate = audioSampleRateHz { tracks[.audio] = Track(correction: -start, sampleRateHz: Int64(rate)) }
        if hasVideo { tracks[.video] = Track(correction: -start, sampleRateHz: 0) }
    }

    /// Media time of the next packet of a track, or `nil` if it is to be dropped because its time is taken.
    package mutating func place(_ kind: TrackKind, _ times: StatedTimes) -> (pts: Int64, duration: Int64)? {
        guard tracks[kind] != nil else { return nil }
        return kind == .audio ? placeAudio(times) : placeVideo(times)
    }

    private mutating func placeAudio(_ times: StatedTimes) -> (pts: Int64, duration: Int64)? {
        if let stated = times.pts ?? times.dts { follow(.audio, stated: stated) }
        guard var track = tracks[.audio] else { return nil }
        var pts = track.expected ?? 0
        if let stated = times.pts ?? times.dts {
            let time = stated + track.correction
            if let expected = track.expected {
                if time < expected - Self.jitterNanoseconds { return nil }
                // Durations that are not exact would drift away.
                let goesOn = times.sampleCount != nil && time <= expected + Self.jitterNanoseconds
                pts = goesOn ? expected : time
            } else {
                pts = time
            }
        }
        if pts != track.expected {
            track.anchor = pts
            track.samplesSinceAnchor = 0
        }
        let duration = bounded(times.durationNanoseconds)
        if let count = times.sampleCount, count > 0, track.sampleRateHz > 0, count / Int(track.sampleRateHz) < 60 {
            track.samplesSinceAnchor += Int64(count)
            track.expected = track.anchor + rescale(track.samplesSinceAnchor, 1_000_000_000, track.sampleRateHz)
        } else {
            track.anchor = pts + duration
            track.samplesSinceAnchor = 0
            track.expected = track.anchor
        }
        tracks[.audio] = track
        return (pts, (track.expected ?? pts) - pts)
    }

    private mutating func placeVideo(_ times: StatedTimes) -> (pts: Int64, duration: Int64)? {
        if let stated = times.dts ?? times.pts { follow(.video, stated: stated) }
        guard var track = tracks[.video] else { return nil }
        let duration = bounded(times.durationNanoseconds)
        let decoding = (times.dts ?? times.pts).map { $0 + track.correction } ?? track.expected ?? 0
        var pts = times.pts.map { $0 + track.correction } ?? decoding
        // Shown far from when it is decoded: no decoder holds frames that long.
        if abs(pts - decoding) > Self.maximumReturnNanoseconds { pts = decoding }
        track.expected = decoding + duration
        tracks[.video] = track
        return (pts, duration)
    }

    /// Corrects a track at a discontinuity, so that `stated` lands near where the track is.
    private mutating func follow(_ kind: TrackKind, stated: Int64) {
        guard var track = tracks[kind] else { return }
        let other = tracks[kind == .audio ? .video : .audio]
        guard let expected = track.expected else {
            let first = stated + track.correction
            if first > maximumJumpNanoseconds || first < -Self.maximumReturnNanoseconds {
                track.correction = -stated
                tracks[kind] = track
            }
            return
        }
        func fits(_ time: Int64) -> Bool {
            if time - expected <= maximumJumpNanoseconds, expected - time <= Self.maximumReturnNanoseconds { return true }
            guard time > expected, let position = other?.expected else { return false }
            return abs(time - position) <= Self.spliceNanoseconds  // the other track is there already
        }
        if fits(stated + track.correction) { return }
        if let correction = other?.correction, correction != track.correction, fits(stated + correction) {
            track.correction = correction
        } else {
            track.correction = expected - stated
        }
        tracks[kind] = track
    }

    private func bounded(_ duration: Int64) -> Int64 {
        min(max(duration, 0), maximumJumpNanoseconds)
    }

    /// Leaves room for sums: a tenth of what 64 bits hold, 29 years.
    static func plausible(_ nanoseconds: Int64?) -> Int64? {
        guard let nanoseconds, nanoseconds.magnitude < 922_337_203_685_477_580 else { return nil }
        return nanoseconds
    }

    private func rescale(_ value: Int64, _ numerator: Int64, _ denominator: Int64) -> Int64 {
        let whole = value / denominator, rest = value % denominator
        return whole * numerator + (rest * numerator + denominator / 2) / denominator
    }
}
