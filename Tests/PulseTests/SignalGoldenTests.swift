import Foundation
import Pulse
import Testing

/// Every step against SciPy and NumPy; the vectors come from `golden/make_fixtures.py`.
@Suite struct SignalGoldenTests {
    struct FilterCase: Decodable {
        var order: Int
        var lowHz, highHz, sampleRateHz: Double
        var input, output: [Double]
    }

    @Test func bandPassEqualsSciPysSosfiltfilt() throws {
        for test in try fixture("filters", [FilterCase].self) {
            let filter = try ButterworthBandPass(
                order: test.order, lowHz: test.lowHz, highHz: test.highHz, sampleRateHz: test.sampleRateHz)
            expectEqual(try filter.filterZeroPhase(test.input), test.output, "order \(test.order)")
        }
    }

    struct DetrendCase: Decodable {
        var degree: Int
        var input, output: [Double]
    }

    @Test func detrendEqualsLeastSquaresInHigherPrecision() throws {
        for test in try fixture("detrending", [DetrendCase].self) {
            let detrend = try PolynomialDetrend(sampleCount: test.input.count, degree: test.degree)
            expectEqual(try detrend.detrend(test.input), test.output, "degree \(test.degree)")
        }
    }

    struct AverageCase: Decodable {
        var width: Int
        var input, output: [Double]
    }

    @Test func movingAverageEqualsSciPysUniformFilterWithMirroredEdges() throws {
        for test in try fixture("averages", [AverageCase].self) {
            expectEqual(try MovingAverage.mirrored(test.input, width: test.width), test.output, "width \(test.width)")
        }
    }

    struct InterpolationCase: Decodable {
        var times, values, output: [Double]
        var first, rateHz: Double
    }

    @Test func interpolationEqualsNumPys() throws {
        for test in try fixture("interpolation", [InterpolationCase].self) {
            let values = try Resampling.interpolate(
                test.values, timesSeconds: test.times, firstSeconds: test.first, count: test.output.count,
                rateHz: test.rateHz)
            expectEqual(values, test.output, "interpolation")
        }
    }

    struct PeakCase: Decodable {
        var input: [Double]
        var prominence: Double?
        var output: [Int]
    }

    @Test func peaksEqualSciPysFindPeaks() throws {
        for test in try fixture("peaks", [PeakCase].self) {
            let found =
                test.prominence.map { PeakFinder.peaks(test.input, prominence: $0) } ?? PeakFinder.peaks(test.input)
            #expect(found == test.output, "prominence \(String(describing: test.prominence))")
        }
    }

    struct MethodCase: Decodable {
        var rateHz: Double
        var red, green, blue, pos, chrom, greenWave: [Double]
    }

    @Test func wavesEqualTheNumPyReferences() throws {
        let test = try fixture("methods", MethodCase.self)
        let trace = ColourTrace(rateHz: test.rateHz, red: test.red, green: test.green, blue: test.blue)
        expectEqual(try PlaneOrthogonalToSkin().wave(of: trace), test.pos, "POS")
        expectEqual(try ChrominanceMethod().wave(of: trace), test.chrom, "CHROM")
        expectEqual(try SingleChannel(.green).wave(of: trace), test.greenWave, "GREEN")
    }
}

@Suite struct PPGGoldenTests {
    struct ChannelCase: Decodable {
        var input, magnitude, phase: [Double]
    }

    @Test func channelsEqualNumPysFourierTransform() throws {
        for test in try fixture("channels", [ChannelCase].self) {
            var settings = PPGFeatureSettings()
            settings.clipSeconds = Double(test.input.count) / settings.rateHz
            let count = test.input.count
            let channels = try PPGFeatureExtractor(settings: settings).channels(of: test.input)
            #expect(channels.count == 3 * count)
            expectEqual(Array(channels[..<count]), test.input, "signal")
            expectEqual(Array(channels[count..<2 * count]), test.magnitude, "magnitude")
            expectEqual(Array(channels[(2 * count)...]), test.phase, "phase")
        }
    }

    struct ChainCase: Decodable {
        var times, values, output: [Double]
        var signalMean, signalStandardDeviation: Double
        var pulseCount: Int
    }

    @Test func theWholeChainEqualsSciPy() throws {
        let test = try fixture("ppg", ChainCase.self)
        var settings = PPGFeatureSettings()
        settings.signalMean = test.signalMean
        settings.signalStandardDeviation = test.signalStandardDeviation
        let clip = try #require(
            try PPGFeatureExtractor(settings: settings).clip(
                values: test.values, timesSeconds: test.times, endSeconds: 0))
        expectEqual(clip.signal, test.output, "clip")
        #expect(clip.pulseCount == test.pulseCount)
    }
}

/// A file of `Fixtures`, decoded.
func fixture<Content: Decodable>(_ name: String, _: Content.Type) throws -> Content {
    let url = try #require(Bundle.module.url(forResource: "Fixtures/\(name)", withExtension: "json"))
    return try JSONDecoder().decode(Content.self, from: Data(contentsOf: url))
}

/// Within 1e-9 of the largest value.
func expectEqual(
    _ values: [Double], _ expected: [Double], _ name: String, sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(values.count == expected.count, "\(name)", sourceLocation: sourceLocation)
    let scale = expected.map(abs).max() ?? 1
    let worst = zip(values, expected).map { abs($0 - $1) }.max() ?? .infinity
    #expect(worst <= 1e-9 * scale, "\(name): \(worst) at a scale of \(scale)", sourceLocation: sourceLocation)
}
