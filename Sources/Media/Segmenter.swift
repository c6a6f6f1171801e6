/// Cuts a track into segments that can be decoded on their own: at the first keyframe at least
/// `minimumNanoseconds` after the last cut.
package struct Segmenter: Sendable {
    package static let videoMinimumNanoseconds: Int64 = 4_000_000_000
    package static let audioMinimumNanoseconds: Int64 = 8_000_000_000

    let minimumNanoseconds: Int64
    private var segment: UInt32 = 0
    private var startNanoseconds: Int64?

    package init(_ kind: TrackKind) {
        minimumNanoseconds = kind == .video ? Self.videoMinimumNanoseconds : Self.audioMinimumNanoseconds
    }

    /// The next packet's segment, and whether it is shown before that segment's first keyframe. The first segment has
    /// no leading packets: there is none before it that they could belong to.
    package mutating func place(
        ptsNanoseconds: Int64, isKeyframe: Bool, isHidden: Bool
    ) -> (segment: UInt32, isLeading: Bool) {
        guard let start = startNanoseconds else {
            startNanoseconds = ptsNanoseconds
            return (segment, false)
        }
        if isKeyframe, !isHidden, ptsNanoseconds - start >= minimumNanoseconds, segment < .max {
            segment += 1
            startNanoseconds = ptsNanoseconds
            return (segment, false)
        }
        return (segment, segment > 0 && ptsNanoseconds < start)
    }
}
