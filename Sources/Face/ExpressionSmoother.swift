#if canImport(Glibc)
import Glibc
#endif

/// Follows one face's expression through time: a first-order low-pass filter on the network's logits, whose time constant is in
/// media time, so that it does not depend on the frame rate.
///
/// An expression lasts from half a second to some seconds (Ekman 2003, "Emotions Revealed"), while a network's answer flickers from
/// frame to frame where it is in doubt.
public struct ExpressionSmoother: Sendable {
    /// 0: every frame speaks for itself.
    public let timeConstantSeconds: Double
    /// A face that was not read for longer than this is met anew, in seconds of media time.
    public let longestGapSeconds: Double

    private var last: (expression: FaceExpression, ptsNanoseconds: Int64)?

    /// - Parameters:
    ///   - timeConstantSeconds: After this time, 63 % of a change has come through; 0 or more.
    public init(timeConstantSeconds: Double, longestGapSeconds: Double = 0.5) {
        self.timeConstantSeconds = timeConstantSeconds
        self.longestGapSeconds = longestGapSeconds
    }

    /// - Parameter ptsNanoseconds: Later than that of the call before.
    public mutating func smooth(_ expression: FaceExpression, ptsNanoseconds: Int64) -> FaceExpression {
        var smoothed = expression
        // What is no number would stay in all that follows.
        if let last, timeConstantSeconds > 0, (last.expression.logits + last.expression.emotionLogits).allSatisfy(\.isFinite) {
            let elapsedSeconds = Double(ptsNanoseconds - last.ptsNanoseconds) / 1e9
            if elapsedSeconds <= longestGapSeconds {
                let share = Float(1 - exp(-elapsedSeconds / timeConstantSeconds))
                smoothed.logits = Self.between(last.expression.logits, expression.logits, share)
                smoothed.emotionLogits = Self.between(last.expression.emotionLogits, expression.emotionLogits, share)
            }
        }
        last = (smoothed, ptsNanoseconds)
        return smoothed
    }

    private static func between(_ before: [Float], _ now: [Float], _ share: Float) -> [Float] {
        zip(before, now).map { $0 + share * ($1 - $0) }
    }
}
