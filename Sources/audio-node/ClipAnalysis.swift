import Foundation
import Voice

/// The windows of a whole audio file.
struct ClipAnalysis {
    let classifier: any VoiceClassifier
    /// For clips that somebody cut by hand: where no window holds speech of the usual length, less will do. A single word
    /// lasts half a second.
    let acceptsShortSpeech: Bool
    var settings = VoiceSettings()

    func windows(ofFileAt path: String) throws -> [VoiceWindow] {
        var blocks: [(samples: [Float], startSample: Int64)] = []
        try readAudio(path) { blocks.append(($0, $1)) }
        let windows = try analyze(blocks, settings: settings)
        guard acceptsShortSpeech, !windows.contains(where: \.hasSpeech) else { return windows }
        var patient = settings
        patient.gate.shortestSpeechSeconds = 0.1
        patient.gate.leastSpreadDB = 0
        return try analyze(blocks, settings: patient)
    }

    private func analyze(_ blocks: [(samples: [Float], startSample: Int64)], settings: VoiceSettings) throws -> [VoiceWindow] {
        var analyzer = VoiceAnalyzer(settings: settings, classifier: classifier)
        var windows: [VoiceWindow] = []
        for block in blocks { windows += try analyzer.append(samples: block.samples, startSample: block.startSample) }
        return try windows + analyzer.finish()
    }
}

extension VoiceWindow {
    var hasSpeech: Bool { if case .speech = outcome { true } else { false } }
}
