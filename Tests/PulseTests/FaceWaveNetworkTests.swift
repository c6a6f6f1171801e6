import Foundation
import Inference
import Media
import Pulse
import Testing

/// A network that looks at pictures, by one whose output is known: the step of the mean green.
@Suite struct FaceWaveNetworkTests {
    private func network() throws -> FaceWaveNetwork {
        let folder = try #require(Bundle.module.url(forResource: "Fixtures/wave-network", withExtension: nil))
        return try FaceWaveNetwork(folder: ModelFolder.load(folder.path()))
    }

    /// Grey pictures of these levels in green.
    private func trace(_ greens: [UInt8], side: Int = 4) throws -> ColourTrace {
        let pictures = try greens.map { green in
            try #require(RGBImage(width: side, height: side, pixels: (0..<side * side).flatMap { _ in [100, green, 90] }))
        }
        let zeros = [Double](repeating: 0, count: greens.count)
        return ColourTrace(rateHz: 30, red: zeros, green: zeros, blue: zeros, pictures: pictures)
    }

    private func beating(_ count: Int, hz: Double = 1.2) -> [UInt8] {
        (0..<count).map { UInt8((120 + 40 * sin(2 * .pi * hz * Double($0) / 30)).rounded()) }
    }

    @Test func theStepsOfAllBlocksAddUpToTheWave() throws {
        // 90 is no multiple of 4: the first block is filled up with the first picture, which has no step.
        let greens = beating(90)
        let wave = try network().wave(of: try trace(greens))
        #expect(wave.count == greens.count)
        for (index, found) in wave.enumerated() {
            // Less the mean of the second on both sides.
            let around = greens[max(0, index - 30)..<min(greens.count, index + 31)].map(Double.init)
            let expected = Double(greens[index]) - around.reduce(0, +) / Double(around.count)
            #expect(abs(found - expected) < 1e-3)
        }
    }

    @Test func whatIsRememberedIsWhatANewNetworkGives() throws {
        let greens = beating(150)
        let used = try network()
        _ = try used.wave(of: try trace(Array(greens.prefix(90))))
        let later = try trace(Array(greens[32..<122]))
        #expect(try used.wave(of: later) == network().wave(of: later))
        let other = try trace(beating(90, hz: 1.7))
        #expect(try used.wave(of: other) == network().wave(of: other))
    }

    @Test func withoutItsPicturesItSaysSo() throws {
        let zeros = [Double](repeating: 0, count: 90)
        #expect(throws: PulseError.noPictures(sidePixels: 4)) {
            try network().wave(of: ColourTrace(rateHz: 30, red: zeros, green: zeros, blue: zeros))
        }
        #expect(throws: PulseError.noPictures(sidePixels: 4)) { try network().wave(of: try trace(beating(90), side: 5)) }
    }

    @Test func aModelForSomethingElseIsRefused() throws {
        let error = #expect(throws: InferenceError.self) {
            try FaceWaveNetwork(folder: ModelFolder.load(PPGNetworkTests.folderPath))
        }
        #expect(error?.code == .invalidCard)
    }

    @Test func theAnalyzerTakesTheRateFromTheNetwork() throws {
        // The colours beat at 60 a minute, the pictures at 84.
        let skin = SyntheticSkin(heartRateBPM: 60, noise: 0.05)
        let samples = skin.samples(seconds: 14, seed: 5).map { sample in
            var sample = sample
            if case .usable(var colours) = sample.outcome {
                let time = Double(sample.ptsNanoseconds) / 1e9
                let green = UInt8((120 + 40 * sin(2 * .pi * 1.4 * time)).rounded())
                colours.picture = RGBImage(width: 4, height: 4, pixels: (0..<16).flatMap { _ in [100, green, 90] })
                sample.outcome = .usable(colours)
            }
            return sample
        }
        var analyzer = try PulseAnalyzer(network: try network())
        var clips: [PulseClip] = []
        for sample in samples { clips += try analyzer.append(sample) }
        let estimate = try #require(clips.last?.estimate)
        #expect(abs((estimate.bestGuessBPM ?? 0) - 84) < 1.5)
        // Networks can invent a pulse: without a witness among the colours it is not believed.
        #expect((estimate.evidence.methodAgreement ?? 1) < 0.1)
        #expect(estimate.heartRateBPM == nil && estimate.unknownReason == .methodsDisagree && estimate.confidence == 0)
        // How much the colour changes is still told by the colour.
        #expect(estimate.amplitude < 0.05)
    }

    @Test func deepPhysGivesWhatPyTorchGives() throws {
        let models = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let folder = try ModelFolder.load(models.appending(path: "Models/pulse-deepphys").path())
        let shape = [31, 36, 36, 3]
        // As golden/make_deepphys.py draws them.
        var values: [Float] = []
        for frame in 0..<shape[0] {
            for y in 0..<shape[1] {
                for x in 0..<shape[2] {
                    for channel in 0..<shape[3] {
                        values.append(Float(90 + (7 * x + 11 * y + 29 * channel) % 60 + (frame * (frame + 3) + x * y) % 7))
                    }
                }
            }
        }
        let steps = try #require(try folder.compile().run([Tensor(shape: shape, values: values)]).first).values
        let expected = try fixture("deepphys", [Float].self)
        #expect(steps.count == 30 && expected.count == 30)
        for (step, golden) in zip(steps, expected) { #expect(abs(step - golden) < 1e-4) }
        #expect(try FaceWaveNetwork(folder: folder).sidePixels == 36)
    }

    @Test func theSamplerBringsPicturesWhereTheyAreAskedFor() throws {
        var settings = SkinSamplerSettings()
        let face = PaintedFace()
        let picture = try #require(RGBImage(of: face))
        for side in [nil, 36] {
            settings.pictureSidePixels = side
            let sample = try SkinSampler(settings: settings).sample(
                picture, ptsNanoseconds: 0, segment: 0, face: face.area)
            guard case .usable(let colours) = sample.outcome else {
                Issue.record("\(sample.outcome)")
                continue
            }
            #expect(colours.picture?.width == side && colours.picture?.height == side)
        }
    }
}

extension RGBImage {
    init?(of face: PaintedFace) {
        let pixels = (0..<face.height).flatMap { y in
            (0..<face.width).flatMap { x in
                let colour = face.colour(x: x, y: y)
                return [UInt8(colour.0), UInt8(colour.1), UInt8(colour.2)]
            }
        }
        self.init(width: face.width, height: face.height, pixels: pixels)
    }
}
