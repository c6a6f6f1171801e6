import Face
import Foundation
import Testing

@Suite struct ExpressionSmootherTests {
    private let neutral = FaceExpression(logits: [0, 1, 0], emotionLogits: [0, 2])
    private let negative = FaceExpression(logits: [0, 0, 1], emotionLogits: [2, 0])

    @Test func anExpressionThatStaysIsLeftAsItIs() {
        var smoother = ExpressionSmoother(timeConstantSeconds: 0.3)
        for frame in 0..<10 { #expect(smoother.smooth(neutral, ptsNanoseconds: Int64(frame) * 40_000_000) == neutral) }
    }

    /// The step response of a first-order filter: 1 - 1/e of the way after one time constant, whatever the frame rate.
    @Test(arguments: [10, 25, 60]) func twoThirdsOfAChangeComeThroughInOneTimeConstant(framesPerSecond: Int) {
        var smoother = ExpressionSmoother(timeConstantSeconds: 0.4)
        _ = smoother.smooth(neutral, ptsNanoseconds: 0)
        var result = neutral
        // Not all rates divide the time constant: the last frame is exactly there.
        let frames = (1...framesPerSecond).map { Double($0) / Double(framesPerSecond) }.filter { $0 < 0.399 } + [0.4]
        for seconds in frames { result = smoother.smooth(negative, ptsNanoseconds: Int64((seconds * 1e9).rounded())) }
        let share = Float(1 - exp(-1.0))
        #expect(zip(result.logits, [0, 1 - share, share]).allSatisfy { abs($0 - $1) < 1e-5 }, "\(result.logits)")
        #expect(zip(result.emotionLogits, [2 * share, 2 - 2 * share]).allSatisfy { abs($0 - $1) < 1e-5 }, "\(result.emotionLogits)")
    }

    @Test func aFaceThatWasAwayIsMetAnew() {
        var smoother = ExpressionSmoother(timeConstantSeconds: 0.3, longestGapSeconds: 0.5)
        _ = smoother.smooth(neutral, ptsNanoseconds: 0)
        #expect(smoother.smooth(negative, ptsNanoseconds: 500_000_001) == negative)
    }

    @Test func withoutATimeConstantEveryFrameSpeaksForItself() {
        var smoother = ExpressionSmoother(timeConstantSeconds: 0)
        _ = smoother.smooth(neutral, ptsNanoseconds: 0)
        #expect(smoother.smooth(negative, ptsNanoseconds: 40_000_000) == negative)
    }
}
