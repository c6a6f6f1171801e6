import ArgumentParser
import Foundation
import Inference
import Media
import MediaKit
import NodeKit
import Voice

/// `audio-node bench`: what the analysis of a file costs, stage by stage.
struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure what the analysis of a file costs, stage by stage, on one core.",
        discussion: """
            Processor time of this machine at this moment, as a stream is analysed: window after window, each alone. Helpers of
            the decoder count too. Memory is the most that the process has held.
            """)

    @OptionGroup var voice: VoiceOptions

    @Argument(help: "An audio or video file with speech.", completion: .file())
    var file: String

    func run() async throws {
        let (network, gate) = try NodeProcess.opening {
            (try voice.makeClassifier(), try voice.gateMethod())
        }
        do {
            let timed = TimedClassifier(network)
            var samples = 0
            let decoding = try ProcessorTime.of {
                if let truncation = try AudioFile.read(file, body: { samples += $0.samples.count }) { throw truncation }
            }
            var windows = 0
            var speech = 0
            let settings = VoiceSettings()
            let all = try ProcessorTime.of {
                var analyzer = try VoiceAnalyzer(settings: settings, classifier: timed, gate: gate)
                func count(_ found: [VoiceWindow]) {
                    windows += found.count
                    speech += found.count { $0.hasSpeech }
                }
                _ = try AudioFile.read(file) { count(try analyzer.append(samples: $0.samples, startSample: $0.startSample)) }
                count(try analyzer.finish())
            }
            let seconds = Double(samples) / Double(settings.sampleRateHz)
            print(String(format: "%@: %.1f s of sound, %d windows, %d with speech", file, seconds, windows, speech))
            print("stage       ms/second of sound   ms/window with speech")
            let gating = all - decoding - timed.features - timed.logits
            let stages = [("decoding", decoding), ("gate", gating), ("features", timed.features), ("network", timed.logits), ("all", all)]
            for (name, cost) in stages {
                let perWindow = speech == 0 ? "-" : String(format: "%.2f", cost * 1000 / Double(speech))
                let line = name.padding(toLength: 12, withPad: " ", startingAt: 0)
                print(line + String(format: "%18.2f   ", cost * 1000 / max(seconds, 0.001)) + perWindow)
            }
            print(String(format: "peak memory %.0f MB", ProcessorTime.peakMegabytes))
        } catch let error as MediaError {
            throw NodeProcess.end(SessionFailure(error, input: file).exitCode, "\(error)")
        }
    }
}

/// Measures what another classifier costs.
private final class TimedClassifier: VoiceClassifier {
    private(set) var logits = 0.0
    fileprivate(set) var features = 0.0
    private let classifier: any VoiceClassifier

    init(_ classifier: any VoiceClassifier) { self.classifier = classifier }

    func makeExtractor() throws -> any VoiceFeatureExtractor { TimedExtractor(try classifier.makeExtractor(), of: self) }

    func logits(of batch: [VoiceFeatures]) throws -> [ModelLogits] {
        var result: [ModelLogits] = []
        logits += try ProcessorTime.of { result = try classifier.logits(of: batch) }
        return result
    }
}

private final class TimedExtractor: VoiceFeatureExtractor {
    private let extractor: any VoiceFeatureExtractor
    private unowned let classifier: TimedClassifier

    init(_ extractor: any VoiceFeatureExtractor, of classifier: TimedClassifier) {
        self.extractor = extractor
        self.classifier = classifier
    }

    func features(of window: UnsafeBufferPointer<Float>, startSample: Int64, speech: Range<Int>) throws -> VoiceFeatures {
        var result = VoiceFeatures(image: [])
        classifier.features += try ProcessorTime.of {
            result = try extractor.features(of: window, startSample: startSample, speech: speech)
        }
        return result
    }
}
