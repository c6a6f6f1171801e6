import ArgumentParser
import Face
import Foundation
import Inference
import Media
import MediaKit
import NodeKit
import Pulse

/// `rppg-node measure`: the heart rate of recordings, a JSON line each.
struct Measure: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures the heart rate in videos of a face, or in tables of colour means.",
        discussion: """
            Prints one JSON object a line for each input (with --compare or several --wave-model, for each input and method). A heart rate that is not to be believed is null, with the \
            reason. Exit codes: 0 all were measured (unknown is a valid answer), 65 one was damaged, 66 one was not \
            found, 69 the face detector's or a network's model is missing.
            """)

    @Argument(help: "Videos of a face.")
    var videos: [String] = []

    @Option(name: .customLong("rgb"), parsing: .upToNextOption, help: "CSV files with the columns time_ms, R, G and B.")
    var tables: [String] = []

    @Option(help: "The folder of MediaPipe's face detection and face mesh models.")
    var models = ModelPaths.fetched + "/mediapipe"

    @Option(
        name: .customLong("method"), parsing: .upToNextOption,
        help: "The methods whose common power tells the heart rate: pos, chrom, green (default: pos green).")
    var methods = PulseSettings().methods

    @Option(
        name: .customLong("wave-model"), parsing: .upToNextOption,
        help: "Networks that tell the heart rate instead: folders (training.pulse_import makes them), or names in Models.")
    var waveModels: [String] = []

    @Flag(help: "Also print a line for each method alone: pos, chrom, green.")
    var compare = false

    @Flag(help: "Also print what each heart rate was judged by.")
    var details = false

    func validate() throws {
        guard !videos.isEmpty || !tables.isEmpty else { throw ValidationError("name a video, or a table with --rgb") }
    }

    func run() throws {
        let meters = try meters()
        var failure: ExitCode?
        func report(_ problem: InputProblem, _ input: Input) {
            StandardStreams.tell("\(input.path): \(problem.detail)")
            failure = failure ?? problem.exitCode
        }
        for input in tables.map(Input.table) + videos.map(Input.video) {
            // A table has no pictures: beside the methods, networks are left out.
            let meters = input.hasPictures || !compare ? meters : meters.filter { $0.network == nil }
            do {
                let measured = try input.clips(of: meters, modelsPath: models)
                for (meter, clips) in zip(meters, measured.clips) {
                    let beats = try HeartBeats(of: clips, settings: meter.settings)
                    print(
                        try MeasuredRecording(
                            file: input.path, method: meter.name, clips: clips, beats: beats, hasDetails: details
                        ).json())
                }
                if let problem = measured.problem { report(problem, input) }
            } catch let problem as InputProblem {
                report(problem, input)
            }
        }
        if let failure { throw failure }
    }

    /// What measures: the networks, or the methods that were asked for; then each method alone, to compare.
    private func meters() throws -> [Meter] {
        var settings = PulseSettings()
        settings.methods = methods
        var meters = [Meter(name: methods.map(\.rawValue).joined(separator: "+"), settings: settings)]
        if !waveModels.isEmpty {
            let networks = try waveModels.map { path in
                let folder = try NodeProcess.opening { try ModelFolder.load(ModelPaths.folder(path)) }
                return Meter(name: folder.card.name, settings: settings, network: try NodeProcess.opening { try FaceWaveNetwork(folder: folder) })
            }
            meters = compare ? meters + networks : networks
        }
        guard compare else { return meters }
        return meters + [PulseMethodName.pos, .chrom, .green].filter { [$0] != methods }.map { method in
            settings.methods = [method]
            return Meter(name: method.rawValue, settings: settings)
        }
    }
}

extension PulseMethodName: ExpressibleByArgument {}

/// A way to measure.
private struct Meter {
    var name: String
    var settings: PulseSettings
    var network: FaceWaveNetwork?

    func analyzer() throws -> PulseAnalyzer { try PulseAnalyzer(settings: settings, network: network) }
}

/// One recording to measure.
private enum Input {
    case video(String)
    case table(String)

    var path: String {
        switch self {
        case .video(let path), .table(let path): path
        }
    }

    var hasPictures: Bool {
        if case .video = self { return true }
        return false
    }

    /// - Returns: The clips of each meter, and what is wrong with a recording of which some could be read.
    /// - Throws: `InputProblem` for what is wrong with the input or the models.
    func clips(of meters: [Meter], modelsPath: String) throws -> (clips: [[PulseClip]], problem: InputProblem?) {
        do {
            switch self {
            case .table(let path): return (try meters.map { try tableClips(path, $0) }, nil)
            case .video(let path): return try videoClips(path, meters, modelsPath: modelsPath)
            }
        } catch let error as MediaError {
            throw InputProblem(detail: error.detail, exitCode: ExitCode(SessionFailure(error, input: self.path).exitCode))
        } catch let error as InferenceError {
            throw InputProblem(detail: "\(error)", exitCode: ExitCode(69))
        } catch let error as NumberTableError {
            throw InputProblem(detail: "\(error)", exitCode: ExitCode(65))
        } catch let error as PulseError {
            throw InputProblem(detail: "\(error)", exitCode: ExitCode(65))
        }
    }

    private func tableClips(_ path: String, _ meter: Meter) throws -> [PulseClip] {
        guard let text = try? String(contentsOf: URL(filePath: path), encoding: .utf8) else {
            let isThere = FileManager.default.fileExists(atPath: path)
            throw InputProblem(
                detail: isThere ? "is not a text file" : "there is no such file", exitCode: ExitCode(isThere ? 65 : 66))
        }
        let samples = try NumberTable.skinSamples(from: text)
        var analyzer = try meter.analyzer()
        var clips: [PulseClip] = []
        for sample in samples { clips += try analyzer.append(sample) }
        return clips + (try analyzer.finish(endNanoseconds: samples.last?.ptsNanoseconds ?? 0))
    }

    private func videoClips(
        _ path: String, _ meters: [Meter], modelsPath: String
    ) throws -> (clips: [[PulseClip]], problem: InputProblem?) {
        let demultiplexer = try Demultiplexer(input: path)
        guard let track = demultiplexer.description.video else {
            throw InputProblem(detail: "has no video track", exitCode: ExitCode(65))
        }
        let decoder = try VideoDecoder(track, deblocking: .referencesOnly)
        let finder = try SkinFinder(modelsPath: modelsPath)
        let samplers = meters.map { SkinSampler(for: $0.network) }
        var analyzers = try meters.map { try $0.analyzer() }
        var clips = [[PulseClip]](repeating: [], count: meters.count)
        var segment: UInt32?
        var endNanoseconds: Int64 = 0
        func examine(_ frames: [VideoFrame]) throws {
            for frame in frames {
                if segment != frame.segment { finder.reset() }
                segment = frame.segment
                let face = try finder.find(in: frame)
                for index in meters.indices {
                    clips[index] += try analyzers[index].append(try samplers[index].sample(frame, face: face))
                }
                endNanoseconds = frame.ptsNanoseconds + frame.durationNanoseconds
            }
        }
        while let packet = try demultiplexer.next() {
            if packet.track == .video { try examine(try decoder.decode(packet)) }
        }
        try examine(try decoder.finish())
        for index in meters.indices { clips[index] += try analyzers[index].finish(endNanoseconds: endNanoseconds) }
        let problem = demultiplexer.truncation?.detail ?? decoder.tally.problem(of: .video)
        return (clips, problem.map { InputProblem(detail: $0, exitCode: ExitCode(65)) })
    }
}

/// Why an input could not be measured.
private struct InputProblem: Error {
    var detail: String
    var exitCode: ExitCode
}

/// The JSON line of a recording.
private struct MeasuredRecording: Encodable {
    let file: String
    let method: String
    let clips: [PulseClip]
    let beats: HeartBeats
    let hasDetails: Bool

    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }

    private enum Key: String, CodingKey {
        case file, method, heartRateBPM, confidence, unknownReason, windows
        case beatIntervals, sdnnMilliseconds, rmssdMilliseconds, variabilityConfidence, variabilityUnknownReason
    }

    private enum IntervalKey: String, CodingKey {
        case endSeconds, milliseconds
    }

    private enum WindowKey: String, CodingKey {
        case startSeconds, endSeconds, heartRateBPM, confidence, signalQuality, unknownReason
        case bestGuessBPM, amplitude, evidence
    }

    func encode(to encoder: any Encoder) throws {
        let summary = PulseSummary(of: clips)
        var object = encoder.container(keyedBy: Key.self)
        try object.encode(file, forKey: .file)
        try object.encode(method, forKey: .method)
        try object.encode(summary.heartRateBPM.map { rounded($0, 1) }, forKey: .heartRateBPM)
        try object.encode(rounded(summary.confidence, 3), forKey: .confidence)
        try object.encodeIfPresent(summary.unknownReason, forKey: .unknownReason)
        try object.encode(beats.sdnnMilliseconds.map { rounded($0, 1) }, forKey: .sdnnMilliseconds)
        try object.encode(beats.rmssdMilliseconds.map { rounded($0, 1) }, forKey: .rmssdMilliseconds)
        try object.encode(rounded(beats.confidence, 3), forKey: .variabilityConfidence)
        try object.encodeIfPresent(beats.unknownReason, forKey: .variabilityUnknownReason)
        var intervals = object.nestedUnkeyedContainer(forKey: .beatIntervals)
        for beat in beats.intervals {
            var interval = intervals.nestedContainer(keyedBy: IntervalKey.self)
            try interval.encode(rounded(beat.endSeconds, 3), forKey: .endSeconds)
            try interval.encode(rounded(beat.milliseconds, 1), forKey: .milliseconds)
        }
        var windows = object.nestedUnkeyedContainer(forKey: .windows)
        for clip in clips {
            var window = windows.nestedContainer(keyedBy: WindowKey.self)
            try window.encode(rounded(Double(clip.startNanoseconds) / 1e9, 3), forKey: .startSeconds)
            try window.encode(rounded(Double(clip.endNanoseconds) / 1e9, 3), forKey: .endSeconds)
            try window.encode(clip.heartRateBPM.map { rounded($0, 1) }, forKey: .heartRateBPM)
            try window.encode(rounded(clip.confidence, 3), forKey: .confidence)
            try window.encode(rounded(clip.signalQuality, 3), forKey: .signalQuality)
            try window.encodeIfPresent(clip.unknownReason, forKey: .unknownReason)
            guard hasDetails, let estimate = clip.estimate else { continue }
            try window.encodeIfPresent(estimate.bestGuessBPM, forKey: .bestGuessBPM)
            try window.encode(estimate.amplitude, forKey: .amplitude)
            try window.encode(estimate.evidence, forKey: .evidence)
        }
    }

    private func rounded(_ number: Double, _ digits: Int) -> Double {
        let scale = pow(10, Double(digits))
        return (number * scale).rounded() / scale
    }
}
