import Foundation
import Pulse
import Testing

@Suite struct HeartRateTests {
    @Test(arguments: [48.0, 55, 62, 71.3, 84, 97, 110, 135])
    func aCleanPulseIsFoundWithinOneBeat(heartRateBPM: Double) throws {
        let skin = SyntheticSkin(heartRateBPM: heartRateBPM, noise: 0.02)
        let judged = try clips(of: skin.samples(seconds: 14, seed: 1), firstClipIndex: 11)
        #expect(judged.count == 3)
        for clip in judged {
            let rate = try #require(clip.heartRateBPM, "clip \(clip.index): \(String(describing: clip.unknownReason))")
            #expect(abs(rate - heartRateBPM) < 1)
            #expect(clip.confidence > 0.7)
        }
    }

    @Test(arguments: [0.05, 0.1, 0.2, 0.4, 0.8])
    func inNoiseARateThatIsReportedIsRight(noise: Double) throws {
        var errors: [Double] = []
        for seed in 0..<40 as Range<UInt64> {
            let truth = 50 + Double(seed) * 1.5
            let skin = SyntheticSkin(heartRateBPM: truth, noise: noise)
            for clip in try clips(of: skin.samples(seconds: 13, seed: seed), firstClipIndex: 11) {
                if let rate = clip.heartRateBPM { errors.append(abs(rate - truth)) }
            }
        }
        #expect(errors.count { $0 > 5 } * 20 <= errors.count, "\(errors.count) reported at noise \(noise)")
        if noise <= 0.1 { #expect(errors.count >= 76) }
    }

    /// What else than blood can change the colour of an area.
    enum Pulseless: CaseIterable {
        case noise, strongNoise, driftingLight, constant, oneRegion, commonColourNoise
    }

    @Test(arguments: Pulseless.allCases) func withoutAPulseTheRateIsUnknown(_ kind: Pulseless) throws {
        var (reported, judged) = (0, 0)
        for seed in 0..<50 as Range<UInt64> {
            var skin = SyntheticSkin(heartRateBPM: nil)
            switch kind {
            case .noise: break
            case .strongNoise: skin.noise = 1
            case .driftingLight: skin.lightDrift = 0.1
            case .constant: (skin.noise, skin.lightDrift) = (0, 0)
            case .oneRegion: skin.regions = [.whole]
            case .commonColourNoise: skin.noise = 0
            }
            var samples = skin.samples(seconds: 14, seed: seed)
            if kind == .commonColourNoise { addCommonNoise(to: &samples, seed: seed) }
            for clip in try clips(of: samples, firstClipIndex: 12) {
                judged += 1
                reported += clip.heartRateBPM == nil ? 0 : 1
                #expect((clip.heartRateBPM == nil) == (clip.unknownReason != nil))
            }
        }
        #expect(judged == 100)
        #expect(reported * 50 <= judged, "\(reported) of \(judged) clips report a heart rate")
    }

    /// The same noise in all regions, as when a colourful light flickers: their agreement proves nothing then.
    private func addCommonNoise(to samples: inout [SkinSample], seed: UInt64) {
        var random = FixedRandom(state: seed)
        for index in samples.indices {
            guard case .usable(var colours) = samples[index].outcome else { continue }
            let noise = (0..<3).map { _ in 0.3 * random.normal() }
            for region in colours.regions.keys {
                colours.regions[region]?.red += noise[0]
                colours.regions[region]?.green += noise[1]
                colours.regions[region]?.blue += noise[2]
            }
            samples[index].outcome = .usable(colours)
        }
    }

    /// Light makes regions agree, chance makes beats regular: a pulse does both.
    @Test func neitherAgreeingRegionsNorRegularBeatsSufficeAlone() {
        func confidence(regionAgreement: Double?, beatRegularity: Double) -> Double {
            var terms = PulseEvidenceTerms()
            (terms.methodAgreement, terms.halvesAgreement) = (1, 1)
            (terms.regionAgreement, terms.beatRegularity) = (regionAgreement, beatRegularity)
            return ConfidenceModel.remote.confidence(terms, heartRateBPM: 70)
        }
        #expect(confidence(regionAgreement: 1, beatRegularity: 0.7) < 0.5)
        #expect(confidence(regionAgreement: 0, beatRegularity: 1) < 0.5)
        #expect(confidence(regionAgreement: 1, beatRegularity: 1) > 0.9)
        // With one region only, the beats alone cannot make it certain.
        #expect((0.5...0.85).contains(confidence(regionAgreement: nil, beatRegularity: 1)))
    }

    @Test func aColourChangeTooLargeForBloodIsUnknown() throws {
        let skin = SyntheticSkin(heartRateBPM: 72, strength: 0.3)
        let last = try #require(try clips(of: skin.samples(seconds: 13, seed: 3)).last)
        #expect(last.heartRateBPM == nil)
        #expect(last.unknownReason == .implausibleAmplitude)
    }

    @Test func variableFrameTimesAreRespected() throws {
        // A camera whose frames come late by up to half a frame, and one that slows down as the light fades.
        var skin = SyntheticSkin(heartRateBPM: 66, noise: 0.02, timeJitter: 0.9)
        let jittered = try #require(try clips(of: skin.samples(seconds: 13, seed: 4)).last?.heartRateBPM)
        #expect(abs(jittered - 66) < 1)

        skin.timeJitter = 0
        let bright = skin.samples(seconds: 7, seed: 4)
        skin.frameRateHz = 15
        let dark = skin.samples(seconds: 6, seed: 4, from: 7)
        let slowed = try #require(try clips(of: bright + dark).last?.heartRateBPM)
        #expect(abs(slowed - 66) < 1)
    }

    @Test(arguments: [12.0, 15, 24, 25, 29.97, 50, 60, 120]) func everyUsualFrameRateWorks(frameRateHz: Double) throws {
        let skin = SyntheticSkin(heartRateBPM: 78, noise: 0.03, frameRateHz: frameRateHz)
        let rate = try #require(try clips(of: skin.samples(seconds: 13, seed: 5)).last?.heartRateBPM)
        #expect(abs(rate - 78) < 1)
    }

    @Test func tooFewFramesASecondAreRefused() throws {
        let skin = SyntheticSkin(heartRateBPM: 78, frameRateHz: 8)
        let last = try #require(try clips(of: skin.samples(seconds: 13, seed: 5)).last)
        #expect(last.unknownReason == .frameRateTooLow)
    }

    /// A finger's red: no one's face, unless in red light. Beat intervals of 0.75 to 1.15 s: the spectrum is spread over 52-80 bpm.
    private func redSamples(_ region: SkinRegion) -> (beats: [Double], samples: [SkinSample]) {
        var random = FixedRandom(state: 6)
        var beats = [0.0]
        while let last = beats.last, last < 20 { beats.append(last + Double.random(in: 0.75...1.15, using: &random)) }
        let samples = (0..<480).map { frame in
            let time = (Double(frame) + 0.5) / 30
            let pulse = beats.reduce(0) { $0 + exp(-pow(($1 - time) / 0.12, 2)) }
            let colour = ColourMean(red: 220 * (1 - 0.02 * pulse), green: 5, blue: 10, pixelCount: 1)
            return SkinSample(
                ptsNanoseconds: Int64(time * 1e9), outcome: .usable(SkinColours(regions: [region: colour])))
        }
        return (beats, samples)
    }

    @Test func aFaceInRedLightIsNotTakenForAFinger() throws {
        let last = try #require(try clips(of: redSamples(.forehead).samples).last)
        #expect(last.estimate?.isContact == false)
        #expect(try clips(of: redSamples(.whole).samples).last?.estimate?.isContact == true)
    }

    @Test func theBeatsOfAnIrregularHeartAreCountedOnAFinger() throws {
        let (beats, samples) = redSamples(.whole)
        let last = try #require(try clips(of: samples).last)
        let inWindow = beats.filter { $0 > 4 && $0 < 16 }
        let truth = 60 * Double(inWindow.count - 1) / (inWindow[inWindow.count - 1] - inWindow[0])
        let rate = try #require(last.heartRateBPM)
        #expect(abs(rate - truth) < 3)
    }
}
