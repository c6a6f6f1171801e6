import Foundation
import Pulse
import Testing

@Suite struct PulseAnalyzerTests {
    let skin = SyntheticSkin(heartRateBPM: 72, noise: 0.05, timeJitter: 0.3)

    @Test func clipsFollowOneAnotherFromTimeZeroToTheEnd() throws {
        let clips = try clips(of: skin.samples(seconds: 14.4, seed: 1), endSeconds: 14.4)
        #expect(clips.map(\.index) == Array(0...14))
        #expect(clips.map(\.startNanoseconds) == (0...14).map { $0 * 1_000_000_000 })
        #expect(clips.dropLast().allSatisfy { $0.endNanoseconds == $0.startNanoseconds + 1_000_000_000 })
        #expect(clips.last?.endNanoseconds == 14_400_000_000)
    }

    @Test func thereIsNoRateBeforeTheLeastStretchOfSkin() throws {
        let clips = try clips(of: skin.samples(seconds: 12, seed: 1))
        #expect(clips.prefix(9).allSatisfy { $0.heartRateBPM == nil && $0.unknownReason == .tooShort })
        #expect(clips[10].heartRateBPM != nil)
    }

    @Test func aRestartWithTheReachBackGivesTheSameBits() throws {
        let samples = skin.samples(seconds: 30, seed: 2)
        let whole = try clips(of: samples)
        let reach = Int64(PulseSettings().reachBackSeconds)
        for first in [13, 20, 27] as [Int64] {
            let needed = samples.filter { $0.ptsNanoseconds >= (first + 1 - reach) * 1_000_000_000 }
            let resumed = try clips(of: needed, firstClipIndex: first)
            #expect(resumed == Array(whole.dropFirst(Int(first))))
        }
    }

    @Test func nothingBeforeTheReachBackMatters() throws {
        let samples = skin.samples(seconds: 30, seed: 2)
        let changed = samples.map { sample in
            sample.ptsNanoseconds < 10_000_000_000
                ? SkinSample(ptsNanoseconds: sample.ptsNanoseconds, outcome: .unusable(.noFace)) : sample
        }
        #expect(try clips(of: samples).dropFirst(22) == clips(of: changed).dropFirst(22))
    }

    @Test func samplesOutOfOrderAreRefused() throws {
        var analyzer = try PulseAnalyzer()
        let samples = skin.samples(seconds: 1, seed: 1)
        _ = try analyzer.append(samples[1])
        #expect(throws: PulseError.self) { try analyzer.append(samples[0]) }
        #expect(throws: PulseError.self) { try analyzer.append(samples[1]) }
    }

    @Test func aFaceThatIsLostSaysSoAndAShortGapIsBridged() throws {
        func without(_ range: Range<Double>) -> [SkinSample] {
            skin.samples(seconds: 20, seed: 3).map { sample in
                range.contains(Double(sample.ptsNanoseconds) / 1e9)
                    ? SkinSample(ptsNanoseconds: sample.ptsNanoseconds, outcome: .unusable(.noFace)) : sample
            }
        }
        let bridged = try clips(of: without(14..<14.3))
        #expect(bridged[15].heartRateBPM != nil)

        let lost = try clips(of: without(14..<18))
        #expect(lost[13].heartRateBPM != nil)
        #expect(lost[15].unknownReason == .noFace)
        #expect(lost[19].heartRateBPM == nil)
    }

    @Test func noSamplesAtAllGiveUnknownClips() throws {
        let clips = try clips(of: [], endSeconds: 3)
        #expect(clips.count == 3)
        #expect(clips.allSatisfy { $0.unknownReason == .tooShort && $0.estimate == nil })
    }

    /// At 8 s the regions move to darker skin.
    private func withJump(regionsBeforeJump: Bool) -> [SkinSample] {
        var hasJumped = false
        return skin.samples(seconds: 14, seed: 4).map { sample in
            guard sample.ptsNanoseconds >= 8_000_000_000, case .usable(var colours) = sample.outcome else { return sample }
            let before = colours.regions
            colours.regions = before.mapValues {
                ColourMean(red: $0.red * 0.9, green: $0.green * 0.8, blue: $0.blue * 0.85, pixelCount: $0.pixelCount)
            }
            if !hasJumped { colours.regionsBeforeJump = regionsBeforeJump ? before : [:] }
            hasJumped = true
            return SkinSample(ptsNanoseconds: sample.ptsNanoseconds, outcome: .usable(colours))
        }
    }

    @Test func piecesMeasuredInTheSameFrameAreJoinedWithoutAStep() throws {
        let plain = try #require(try clips(of: skin.samples(seconds: 14, seed: 4)).last)
        let joined = try #require(try clips(of: withJump(regionsBeforeJump: true)).last)
        let rate = try #require(joined.heartRateBPM)
        #expect(abs(rate - (plain.heartRateBPM ?? 0)) < 0.1)
        #expect(abs(joined.signalQuality - plain.signalQuality) < 0.02)
    }

    @Test func piecesThatCannotBeJoinedAreNotMixed() throws {
        let last = try #require(try clips(of: withJump(regionsBeforeJump: false)).last)
        #expect(last.unknownReason == .tooShort)
    }

    @Test func impossibleSettingsAreRefused() {
        for change in [
            { $0.clipSeconds = 0 }, { $0.reachBackSeconds = 0.5 }, { $0.minimumSeconds = 20 }, { $0.gridRateHz = .nan },
            { $0.longestGapSeconds = -1 },
        ] as [(inout PulseSettings) -> Void] {
            var settings = PulseSettings()
            change(&settings)
            #expect(throws: PulseError.self) { try PulseAnalyzer(settings: settings) }
        }
    }

    @Test func aRecordingsRateIsTheMedianOfItsClips() throws {
        let known = PulseSummary(of: try clips(of: skin.samples(seconds: 20, seed: 5)))
        #expect(abs((known.heartRateBPM ?? 0) - 72) < 1)
        #expect(known.confidence > 0.5 && known.confidence <= 1)

        let still = SyntheticSkin(heartRateBPM: nil)
        let unknown = PulseSummary(of: try clips(of: still.samples(seconds: 20, seed: 5)))
        #expect(unknown.heartRateBPM == nil)
        #expect(unknown.unknownReason != nil && unknown.unknownReason != .tooShort)
        #expect(PulseSummary(of: []).unknownReason == .tooShort)
    }
}

@Suite struct NumberTableTests {
    @Test func aTableWithAnyLineEndsAndColumnOrderIsRead() throws {
        let samples = try NumberTable.skinSamples(from: "\u{FEFF}B,time,G,R,note\r\n3,0,2,1,x\r\n6, 33.4 ,5,4,y\r\n\r\n")
        #expect(samples.map(\.ptsNanoseconds) == [0, 33_400_000])
        let colour = ColourMean(red: 4, green: 5, blue: 6, pixelCount: 1)
        #expect(samples[1].outcome == .usable(SkinColours(regions: [.whole: colour])))
    }

    @Test func timesOfAnyClockCountFromTheFirst() throws {
        let samples = try NumberTable.skinSamples(from: "time_ms,R,G,B\n1764340000000,1,2,3\n1764340000033,1,2,3\n")
        #expect(samples.map(\.ptsNanoseconds) == [0, 33_000_000])
    }

    @Test(arguments: [
        ("", 1), ("time_ms,R,G\n0,1,2\n", 1), ("time_ms,R,G,B\n", 2), ("time_ms,R,G,B\n0,1,2,3\n33,1,x,3\n", 3),
        ("time_ms,R,G,B\n0,1,2\n", 2), ("time_ms,R,G,B\n5,1,2,3\n5,1,2,3\n", 3), ("time_ms,R,G,B\n0,1,2,nan\n", 2),
        ("time_ms,R,G,B\n0,1,2,3\n1e300,1,2,3\n", 3), ("time_ms,R,G,B\n0,1,2,3\n604800001,1,2,3\n", 3),
    ]) func whatIsWrongIsToldWithItsLine(text: String, line: Int) {
        let error = #expect(throws: NumberTableError.self) { try NumberTable.skinSamples(from: text) }
        #expect(error?.line == line)
    }

    @Test func aWaveIsRead() throws {
        let (times, values) = try NumberTable.wave(from: "time_ms,wave\n0,1.5\n15.625,-2e-3\n")
        #expect(times == [0, 0.015625])
        #expect(values == [1.5, -0.002])
    }
}
