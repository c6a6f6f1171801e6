import Foundation
import Pulse
import Testing

/// Beats against the truth, SciPy and neurokit2; the vectors come from `golden/make_beats.py`.
@Suite struct HeartBeatsTests {
    struct Golden: Decodable {
        struct Neurokit: Decodable { var count: Int, sdnnMilliseconds: Double }
        var rateHz: Double
        var wave, beatSeconds, noise: [Double]
        var sdnnMilliseconds, rmssdMilliseconds: Double
        var neurokit: Neurokit
        var noisePeaks: [Int]
    }

    let golden: Golden

    init() throws { golden = try fixture("beats", Golden.self) }

    @Test func peaksOfAHeightAndADistanceEqualSciPys() {
        #expect(PeakFinder.peaks(golden.noise, height: 0.3, distance: 7) == golden.noisePeaks)
    }

    @Test func everyBeatIsFoundOnceAndInTime() throws {
        let found = try BeatDetector(heartRateBPM: 73).beats(in: golden.wave, rateHz: golden.rateHz)
        // The rise comes some time after the beat, always the same. At the ends the filter has too little to go by.
        let inside = golden.beatSeconds.filter { $0 > 1 && $0 < 58.5 }
        let delays: [Double] = inside.map { beat in
            let rises = found.map { $0 - beat }
            return rises.min { abs($0 - 0.05) < abs($1 - 0.05) } ?? 9
        }
        let typical = delays.sorted()[delays.count / 2]
        #expect(delays.allSatisfy { abs($0 - typical) < 0.03 })
        #expect(abs(found.count - golden.neurokit.count) <= 1)
    }

    /// The wave as the clips of a recording would bring it.
    private func beats(seconds: Int, isContact: Bool = true) throws -> HeartBeats {
        let settings = PulseSettings()
        let clips = (11..<seconds).map { second in
            let end = Int64(second + 1) * 1_000_000_000
            var clip = PulseClip(index: Int64(second), startNanoseconds: end - 1_000_000_000, endNanoseconds: end)
            let last = (second + 1) * Int(golden.rateHz)
            clip.estimate = HeartRateEstimate(
                heartRateBPM: 73, confidence: 0.9, wave: Array(golden.wave[(last - 12 * Int(golden.rateHz))..<last]), amplitude: 0.01,
                isContact: isContact)
            clip.heartRateBPM = 73
            clip.confidence = 0.9
            return clip
        }
        return try HeartBeats(of: clips, settings: settings)
    }

    @Test func variabilityIsThatOfTheTrueBeatsAndOfAnotherDetectors() throws {
        let beats = try beats(seconds: 60)
        let sdnn = try #require(beats.sdnnMilliseconds), rmssd = try #require(beats.rmssdMilliseconds)
        #expect(abs(sdnn - golden.sdnnMilliseconds) < 3)
        #expect(abs(rmssd - golden.rmssdMilliseconds) < 5)
        #expect(abs(sdnn - golden.neurokit.sdnnMilliseconds) < 6)
        #expect(beats.confidence > 0.85)
        // Joined from clips, it is the beats of the whole wave.
        let whole = try BeatDetector(heartRateBPM: 73).beats(in: golden.wave, rateHz: golden.rateHz)
        #expect(abs(beats.intervals.count - (whole.count - 1)) <= 1)
    }

    @Test func variabilityOfLessThanTwentySecondsIsUnknown() throws {
        let beats = try beats(seconds: 16)
        #expect(!beats.intervals.isEmpty)
        #expect(beats.sdnnMilliseconds == nil && beats.rmssdMilliseconds == nil && beats.unknownReason == .tooShort)
    }

    @Test func variabilityIsNotToldFromAfar() throws {
        let beats = try beats(seconds: 60, isContact: false)
        #expect(beats.intervals.count > 50)
        #expect(beats.sdnnMilliseconds == nil && beats.rmssdMilliseconds == nil && beats.unknownReason == .weakSignal)
    }

    @Test func nothingComesOfNothing() throws {
        let beats = try HeartBeats(of: [], settings: PulseSettings())
        #expect(beats.intervals.isEmpty && beats.confidence == 0 && beats.unknownReason == .tooShort)
        #expect(try BeatDetector(heartRateBPM: 60).beats(in: [Double](repeating: 1, count: 300), rateHz: 30).isEmpty)
    }
}
