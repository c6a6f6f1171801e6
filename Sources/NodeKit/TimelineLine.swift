import Foundation
import Fusion

extension TimelineText {
    /// A window as one line, for those who follow a session.
    public static func line(_ window: TimelineWindow) -> String {
        String(
            format: "%8.2f s to %8.2f s  %@  %@  %.2f%@%@", Double(window.startNanoseconds) / 1e9, Double(window.endNanoseconds) / 1e9,
            window.lane.description.padding(toLength: 5, withPad: " ", startingAt: 0),
            window.label.description.padding(toLength: 8, withPad: " ", startingAt: 0), window.probabilities[window.label],
            window.pulse?.contradicts == true ? "  (against the emotion)" : "", window.isFinal ? "" : "  (open)")
    }
}
