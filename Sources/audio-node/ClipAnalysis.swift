import Foundation
import Media
import Voice

/// The windows of a whole audio or video file.
struct ClipAnalysis {
    let classifier: any VoiceClassifier
    let gate: SpeechGateMethod
    /// For clips that somebody cut by hand: where no window holds speech of the usual length, less will do. A single word
    /// lasts half a second.
    let acceptsShortSpeech: Bool

    /// Nobody waits for single windows: they share calls of the network.
    private var settings: VoiceSettings {
        var settings = VoiceSettings()
        settings.batchWindows = 8
        return settings
    }

    struct Result {
        var windows: [VoiceWindow]
        /// Where a file was cut off: the windows are those of what is left of it.
        var truncation: MediaError?
    }

    /// - Throws: `MediaError` for a file that cannot be read, what the analyzer throws otherwise.
    func windows(ofFileAt path: String) throws -> Result {
        let result = try analyze(path, settings: settings)
        guard acceptsShortSpeech, !result.windows.contains(where: \.hasSpeech) else { return result }
        var patient = settings
        patient.gate.shortestSpeechSeconds = 0.1
        patient.gate.leastFluctuationDB = 0
        patient.gate.voiceProbability = 0.2
        patient.gate.leastVoiceShare = 0.03
        return try analyze(path, settings: patient)
    }

    private func analyze(_ path: String, settings: VoiceSettings) throws -> Result {
        var analyzer = try VoiceAnalyzer(settings: settings, classifier: classifier, gate: gate)
        var windows: [VoiceWindow] = []
        let truncation = try AudioFile.read(path) { block in
            windows += try analyzer.append(samples: block.samples, startSample: block.startSample)
        }
        return Result(windows: try windows + analyzer.finish(), truncation: truncation)
    }
}

enum AudioFile {
    /// Decodes the audio track of a file block by block.
    ///
    /// - Returns: What is wrong with a file that is cut off, or most of which cannot be decoded: all there is of it has been.
    static func read(_ path: String, body: (AudioBlock) throws -> Void) throws -> MediaError? {
        let demultiplexer = try Demultiplexer(input: path)
        guard let track = demultiplexer.description.audio else {
            throw MediaError(.notMedia, input: path, detail: "it has no audio track; give a file with sound")
        }
        let decoder = try AudioDecoder(track)
        while let packet = try demultiplexer.next() {
            guard packet.track == .audio else { continue }
            for block in try decoder.decode(packet) { try body(block) }
        }
        for block in decoder.finish() { try body(block) }
        return demultiplexer.truncation ?? decoder.tally.problem(of: .audio).map { MediaError(.corrupt, input: path, detail: $0) }
    }
}

extension VoiceWindow {
    var hasSpeech: Bool { if case .speech = outcome { true } else { false } }
}
