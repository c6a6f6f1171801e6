import Inference
import Media

/// What was seen in one frame, before its expressions are read.
public struct UnreadObservation: Sendable {
    /// Its faces have no expression yet.
    let observation: FaceObservation
    /// Of the faces that are usable.
    let crops: [Crop]
    let ptsNanoseconds: Int64
    /// Changes whenever a viewer is met anew.
    let meeting: Int

    struct Crop: Sendable {
        /// 0 for the first of the observation's faces, the viewer before the others.
        let face: Int
        let picture: RGBImage
    }
}

/// The second half of the analysis: names the expressions of the faces that a `FaceAnalyzer` looked at, and follows the viewer's
/// through time.
///
/// Give it the observations in order. One thread at a time, which need not be that of the analyzer.
public final class ExpressionReader {
    private let classifier: ExpressionClassifier
    private var smoother: ExpressionSmoother
    private var knownMeeting: Int?

    init(classifier: ExpressionClassifier, smoothingSeconds: Double) {
        self.classifier = classifier
        smoother = ExpressionSmoother(timeConstantSeconds: smoothingSeconds)
    }

    public func read(_ unread: UnreadObservation) throws(InferenceError) -> FaceObservation {
        try read([unread])[0]
    }

    /// All crops go through the network together.
    public func read(_ unread: [UnreadObservation]) throws(InferenceError) -> [FaceObservation] {
        var expressions = try classifier.classify(unread.flatMap { $0.crops.map(\.picture) })[...]
        return unread.map { frame in
            let read = expressions.prefix(frame.crops.count)
            expressions = expressions.dropFirst(frame.crops.count)
            return finish(frame, with: read)
        }
    }

    private func finish(_ frame: UnreadObservation, with expressions: ArraySlice<FaceExpression>) -> FaceObservation {
        if frame.meeting != knownMeeting {
            knownMeeting = frame.meeting
            smoother = ExpressionSmoother(timeConstantSeconds: smoother.timeConstantSeconds)
        }
        var observation = frame.observation
        let othersFirst = observation.face == nil ? 0 : 1
        for (crop, expression) in zip(frame.crops, expressions) {
            if crop.face < othersFirst {
                observation.face?.expression = smoother.smooth(expression, ptsNanoseconds: frame.ptsNanoseconds)
            } else {
                observation.others[crop.face - othersFirst].expression = expression
            }
        }
        return observation
    }
}
