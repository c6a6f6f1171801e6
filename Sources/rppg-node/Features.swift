import ArgumentParser
import Foundation
import NodeKit
import Pulse

/// `rppg-node features`: what the PPG network sees of a contact sensor's wave, for training it.
struct Features: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Computes the PPG network's features from waves of a contact sensor, for training.",
        discussion: """
            WAVE.csv has the columns time_ms and wave. For each, OUTPUT/WAVE.npy is written: float32, one row for every \
            second that ends at a whole number of seconds after the first sample and has a full window before it. \
            Columns: the end of the second (s), the number of pulses in it, then the three channels (signal, Fourier \
            magnitude, Fourier phase). The wave is brought to the rate of a camera first, so that the network is trained \
            on what it will see.
            """)

    @Argument(help: "CSV files.")
    var waves: [String]

    @Option(help: "The folder to write to; it must exist.")
    var output: String

    @Option(help: "A JSON file with PPGFeatureSettings; without it, the defaults.")
    var settings: String?

    @Option(help: "The rate that a camera would have seen the wave at, Hz.")
    var cameraRateHz = PulseSettings().gridRateHz

    func run() throws {
        let extractor: PPGFeatureExtractor
        do {
            extractor = try PPGFeatureExtractor(settings: settings.map(Self.read) ?? PPGFeatureSettings())
        } catch let error as PulseError {
            throw NodeProcess.end(ExitStatus.badInput, "\(settings ?? "--settings"): \(error)")
        }
        var taken: Set<String> = []
        for path in waves {
            let name = URL(filePath: path).deletingPathExtension().lastPathComponent + ".npy"
            guard taken.insert(name).inserted else {
                throw NodeProcess.end(ExitStatus.usage, "\(path): \(name) is another wave's already; rename one")
            }
            do {
                try writeFeatures(of: path, to: name, extractor)
            } catch let error where error is NumberTableError || error is PulseError {
                throw NodeProcess.end(ExitStatus.badInput, "\(path): \(error)")
            }
        }
    }

    func validate() throws {
        guard (10...240).contains(cameraRateHz) else { throw ValidationError("--camera-rate-hz must be 10 to 240, not \(cameraRateHz)") }
    }

    private static func read(_ path: String) throws -> PPGFeatureSettings {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw NodeProcess.end(ExitStatus.noInput, "\(path): cannot be read; check the path of the settings")
        }
        do {
            return try JSONDecoder().decode(PPGFeatureSettings.self, from: data)
        } catch {
            throw NodeProcess.end(ExitStatus.badInput, "\(path): holds no PPGFeatureSettings: \(error)")
        }
    }

    private func writeFeatures(of path: String, to name: String, _ extractor: PPGFeatureExtractor) throws {
        guard let text = try? String(contentsOf: URL(filePath: path), encoding: .utf8) else {
            throw NodeProcess.end(ExitStatus.noInput, "\(path): cannot be read; check the path")
        }
        let (times, values) = try NumberTable.wave(from: text)
        let rows = try PPGFeatureRows(
            timesSeconds: times, values: values, extractor: extractor, cameraRateHz: cameraRateHz)
        let file = try NumPyWriter(path: URL(filePath: output).appending(path: name).path, rowShape: [rows.columnCount], half: false)
        for start in stride(from: 0, to: rows.numbers.count, by: rows.columnCount) {
            try file.append(Array(rows.numbers[start..<start + rows.columnCount]))
        }
        try file.close()
    }
}
