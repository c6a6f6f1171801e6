import Foundation
import Media
import Pulse
import Testing

@Suite struct SkinSamplerTests {
    let still = PaintedFace()

    @Test func eyesAndMouthAndBackgroundDoNotCount() throws {
        var painted = still
        painted.featureColour = (0, 0, 0)
        painted.backgroundColour = (0, 255, 0)
        let colours = try colours(try sample(painted, at: 0))
        #expect(colours.regions.count == 3)
        for (region, colour) in colours.regions {
            #expect(abs(colour.red - 180) < 0.5 && abs(colour.green - 120) < 0.5, "\(region)")
        }
    }

    @Test func theJitterOfTheDetectorDoesNotModulateTheColour() throws {
        // Skin that darkens to one side: every shift of the regions shows.
        var shaded = still
        shaded.shading = 0.5
        let sampler = SkinSampler()
        var random = FixedRandom(state: 1)
        var (sampled, raw): ([Double], [Double]) = ([], [])
        for frame in 0..<120 {
            let shift = 0.5 * SIMD2(random.normal(), random.normal())
            var seen = shaded
            seen.centre += shift
            let face = try #require(seen.area)
            let time = Int64(frame) * 33_333_333
            let smooth = try colours(try sampler.sample(shaded, ptsNanoseconds: time, segment: 0, face: face))
            let alone = try colours(try SkinSampler().sample(shaded, ptsNanoseconds: time, segment: 0, face: face))
            sampled.append(green(smooth))
            raw.append(green(alone))
        }
        #expect(spread(sampled.suffix(90)) < 0.4 * spread(raw.suffix(90)))
    }

    @Test func theRegionsFollowAMovingHead() throws {
        // Half an eye distance a second across a picture of one colour: were the regions left behind, they would see background.
        let sampler = SkinSampler()
        for frame in 0..<60 {
            var moved = still
            moved.centre.x += 0.5 * Double(frame)
            let sample = try sampler.sample(moved, ptsNanoseconds: Int64(frame) * 33_333_333, segment: 0, face: moved.area)
            #expect(abs(green(try colours(sample)) - 120) < 3)
        }
    }

    @Test func aNewSegmentStartsAnewAndIsJoinedByTheFrameItself() throws {
        let sampler = SkinSampler()
        let face = still.area
        let first = try colours(try sampler.sample(still, ptsNanoseconds: 0, segment: 0, face: face))
        #expect(first.regionsBeforeJump == [:])
        let second = try colours(try sampler.sample(still, ptsNanoseconds: 33_000_000, segment: 0, face: face))
        #expect(second.regionsBeforeJump == nil)

        let third = try sampler.sample(still, ptsNanoseconds: 66_000_000, segment: 1, face: face)
        #expect(try colours(third).regionsBeforeJump == second.regions)
        // Apart from the join, a segment knows nothing of what was before.
        let fresh = try SkinSampler().sample(still, ptsNanoseconds: 66_000_000, segment: 1, face: face)
        #expect(try colours(third).regions == colours(fresh).regions)
    }

    @Test func afterACutNothingIsJoined() throws {
        let sampler = SkinSampler()
        _ = try sampler.sample(still, ptsNanoseconds: 0, segment: 0, face: still.area)
        var other = still
        other.centre.x += 60
        let sample = try sampler.sample(
            other, ptsNanoseconds: 33_000_000, segment: 0, face: other.area)
        #expect(try colours(sample).regionsBeforeJump == [:])
    }

    @Test func aSideThatIsTurnedAwayIsLeftOut() throws {
        var turned = still.contours
        turned.right.jaw = turned.right.jaw.map { SIMD2(max($0.x, still.centre.x - 0.4 * still.eyeDistance), $0.y) }
        let face = FaceArea(keypoints: still.keypoints, contours: .seen(turned))
        #expect(Set(try colours(try sample(still, at: 0, face: face)).regions.keys) == [.forehead, .leftCheek])
    }

    @Test func theShapeIsKeptUntilItIsSeenAgain() throws {
        let sampler = SkinSampler()
        let asBefore = FaceArea(keypoints: still.keypoints, contours: .asBefore)
        let first = try colours(try sampler.sample(still, ptsNanoseconds: 0, segment: 0, face: still.area))
        let second = try colours(try sampler.sample(still, ptsNanoseconds: 33_000_000, segment: 0, face: asBefore))
        #expect(second.regions == first.regions)
    }

    @Test func aNewShapeIsGoneToSlowly() throws {
        // Skin that darkens to one side, and a mesh that jumps to it: the colour must not.
        var shaded = still
        shaded.shading = 0.5
        var wide = shaded.contours
        wide.left.jaw = wide.left.jaw.map { SIMD2($0.x + 4, $0.y) }
        let sampler = SkinSampler()
        var seen: [Double] = []
        for frame in 0..<30 {
            let contours = frame == 10 ? FaceArea.Contours.seen(wide) : frame == 0 ? .seen(shaded.contours) : .asBefore
            let face = FaceArea(keypoints: shaded.keypoints, contours: contours)
            let sample = try sampler.sample(shaded, ptsNanoseconds: Int64(frame) * 33_333_333, segment: 0, face: face)
            seen.append(green(try colours(sample)))
        }
        let steps = zip(seen, seen.dropFirst()).map { abs($1 - $0) }
        #expect(abs(seen[29] - seen[9]) > 0.3)
        #expect(try #require(steps.max()) < 0.35 * abs(seen[29] - seen[9]))
    }

    @Test func aStepOfExposureIsLeftOutAndJoined() throws {
        let sampler = SkinSampler()
        var samples: [SkinSample] = []
        for frame in 0..<6 {
            var lit = still
            if frame >= 3 { lit.skinColour = (216, 144, 120) }  // a fifth brighter
            samples.append(try sampler.sample(lit, ptsNanoseconds: Int64(frame) * 33_333_333, segment: 0, face: lit.area))
        }
        #expect(samples[3].outcome == .unusable(.colourJumping))
        let after = try colours(samples[4])
        #expect(after.regionsBeforeJump == (try colours(samples[2]).regions))
        #expect(try colours(samples[5]).regionsBeforeJump == nil)
        // As one, the pieces know nothing of the step.
        let seconds = 12.0
        let skin = SyntheticSkin(heartRateBPM: 72)
        var stepped = skin.samples(seconds: seconds, seed: 3)
        let middle = stepped.count / 2
        for index in stepped.indices.dropFirst(middle) {
            guard case .usable(var colours) = stepped[index].outcome else { continue }
            colours.regions = colours.regions.mapValues { ColourMean(red: 1.2 * $0.red, green: 1.2 * $0.green, blue: 1.2 * $0.blue, pixelCount: $0.pixelCount) }
            if index == middle, case .usable(let before) = stepped[index - 1].outcome { colours.regionsBeforeJump = before.regions }
            stepped[index].outcome = .usable(colours)
        }
        var analyzer = try PulseAnalyzer()
        let clips = try stepped.flatMap { try analyzer.append($0) } + analyzer.finish(endNanoseconds: Int64(seconds * 1e9))
        #expect(abs(try #require(clips.last?.heartRateBPM) - 72) < 1)
    }

    @Test func aStepBetweenTwoSegmentsIsJoinedToo() throws {
        // An encoder begins a new segment exactly where the picture changes.
        let sampler = SkinSampler()
        var lit = still
        lit.skinColour = (216, 144, 120)
        let first = try colours(try sampler.sample(still, ptsNanoseconds: 0, segment: 0, face: still.area))
        let second = try colours(try sampler.sample(lit, ptsNanoseconds: 33_000_000, segment: 1, face: lit.area))
        #expect(second.regionsBeforeJump == first.regions)
    }

    @Test func aSegmentThatBeginsTooDarkIsJoinedByItsFirstUsableFrame() throws {
        let sampler = SkinSampler()
        var dark = still
        dark.skinColour = (6, 5, 4)
        let first = try colours(try sampler.sample(still, ptsNanoseconds: 0, segment: 0, face: still.area))
        let second = try sampler.sample(dark, ptsNanoseconds: 33_000_000, segment: 1, face: dark.area)
        #expect(second.outcome == .unusable(.tooDark))
        let third = try sampler.sample(still, ptsNanoseconds: 66_000_000, segment: 1, face: still.area)
        #expect(try colours(third).regionsBeforeJump == first.regions)
        // Nor is there anything to join over a segment that was dark throughout.
        let later = SkinSampler()
        _ = try later.sample(still, ptsNanoseconds: 0, segment: 0, face: still.area)
        _ = try later.sample(dark, ptsNanoseconds: 33_000_000, segment: 1, face: dark.area)
        let after = try later.sample(still, ptsNanoseconds: 66_000_000, segment: 2, face: still.area)
        #expect(try colours(after).regionsBeforeJump == [:])
        // After a cut there is nothing to join.
        var other = dark
        other.centre.x += 60
        _ = try sampler.sample(other, ptsNanoseconds: 99_000_000, segment: 1, face: other.area)
        other.skinColour = still.skinColour
        let fifth = try sampler.sample(other, ptsNanoseconds: 132_000_000, segment: 1, face: other.area)
        #expect(try colours(fifth).regionsBeforeJump == [:])
    }

    @Test func aHandBeforeTheFaceIsNotSkin() throws {
        let hidden = FaceArea(keypoints: still.keypoints, contours: .hidden)
        #expect(try sample(still, at: 0, face: hidden).outcome == .unusable(.faceHidden))
    }

    @Test func unusableFramesSayWhy() throws {
        #expect(try sample(still, at: 0, face: nil).outcome == .unusable(.noFace))
        var small = still
        small.eyeDistance = 4
        #expect(try sample(small, at: 0).outcome == .unusable(.faceTooSmall))
        var dark = still
        dark.skinColour = (6, 5, 4)
        #expect(try sample(dark, at: 0).outcome == .unusable(.tooDark))
        var bright = still
        bright.skinColour = (255, 253, 252)
        #expect(try sample(bright, at: 0).outcome == .unusable(.tooBright))
    }

    @Test func keypointsThatAreNoFaceAreRefused() {
        #expect(FaceArea(keypoints: Array(still.keypoints.dropLast()), contours: .asBefore) == nil)
        #expect(FaceArea(keypoints: still.keypoints.map { _ in SIMD2(5, 5) }, contours: .asBefore) == nil)
        #expect(FaceArea(keypoints: still.keypoints.map { _ in SIMD2(.nan, 5) }, contours: .asBefore) == nil)
    }

    private func sample(_ picture: PaintedFace, at time: Int64) throws -> SkinSample {
        try sample(picture, at: time, face: picture.area)
    }

    private func sample(_ picture: PaintedFace, at time: Int64, face: FaceArea?) throws -> SkinSample {
        try SkinSampler().sample(picture, ptsNanoseconds: time, segment: 0, face: face)
    }

    private func colours(_ sample: SkinSample) throws -> SkinColours {
        guard case .usable(let colours) = sample.outcome else {
            throw Unusable(outcome: sample.outcome)
        }
        return colours
    }

    private struct Unusable: Error { var outcome: SkinSample.Outcome }

    private func green(_ colours: SkinColours) -> Double {
        let pixels = colours.regions.values.reduce(0) { $0 + $1.pixelCount }
        return colours.regions.values.reduce(0) { $0 + $1.green * Double($1.pixelCount) } / Double(pixels)
    }

    private func spread(_ values: ArraySlice<Double>) -> Double {
        let middle = values.reduce(0, +) / Double(values.count)
        return (values.reduce(0) { $0 + ($1 - middle) * ($1 - middle) } / Double(values.count)).squareRoot()
    }
}

/// A face drawn by formulas: an oval of skin, with eyes and a mouth.
struct PaintedFace: MeasurablePicture {
    var width = 200, height = 130
    var centre = SIMD2(70.0, 50.0)
    var eyeDistance = 30.0
    var skinColour = (180.0, 120.0, 100.0)
    var featureColour = (180.0, 120.0, 100.0)
    var backgroundColour = (40.0, 60.0, 80.0)
    /// How much darker the skin gets over one eye distance to the right.
    var shading = 0.0

    /// In BlazeFace's order.
    var keypoints: [SIMD2<Double>] {
        [(-0.5, 0), (0.5, 0), (0, 0.6), (0, 1.1), (-1.1, 0.15), (1.1, 0.15)].map {
            centre + eyeDistance * SIMD2($0.0, $0.1)
        }
    }

    var area: FaceArea? { FaceArea(keypoints: keypoints, contours: .seen(contours)) }

    /// A little inside of the skin's edge, and around eyes and mouth.
    var contours: FaceContours {
        func arc(_ centre: SIMD2<Double>, _ radii: SIMD2<Double>, from start: Double, to end: Double) -> [SIMD2<Double>] {
            (0...24).map { step in
                let angle = start + (end - start) * Double(step) / 24  // 0 is the top, positive goes to the person's left
                return self.centre + eyeDistance * (centre + radii * SIMD2(sin(angle), -cos(angle)))
            }
        }
        func line(_ points: [SIMD2<Double>]) -> [SIMD2<Double>] { points.map { centre + eyeDistance * $0 } }
        let (middle, radii, brows) = (SIMD2(0, 0.35), SIMD2(0.95, 1.35), acos((0.35 + 0.3) / 1.35))
        func side(_ side: Double) -> FaceContours.Side {
            FaceContours.Side(
                jaw: arc(middle, radii, from: side * brows, to: side * .pi),
                browTop: line([SIMD2(0.15 * side, -0.4), SIMD2(0.8 * side, -0.4)]),
                browBottom: line([SIMD2(0.15 * side, -0.3), SIMD2(0.8 * side, -0.3)]),
                eye: arc(SIMD2(0.5 * side, 0), SIMD2(0.24, 0.1), from: 0, to: 2 * .pi),
                lips: arc(SIMD2(0, 1.1), SIMD2(0.47, 0.24), from: 0, to: side * .pi))
        }
        return FaceContours(
            forehead: arc(middle, radii, from: -brows, to: brows), midline: line([SIMD2(0, -0.3), SIMD2(0, 1.7)]), right: side(-1),
            left: side(1))
    }

    func colour(x: Int, y: Int) -> (Double, Double, Double) {
        let p = (SIMD2(Double(x) + 0.5, Double(y) + 0.5) - centre) / eyeDistance
        func isInside(_ at: SIMD2<Double>, _ radii: SIMD2<Double>) -> Bool {
            let q = (p - at) / radii
            return (q * q).sum() < 1
        }
        if isInside(SIMD2(-0.5, 0), SIMD2(0.3, 0.16)) || isInside(SIMD2(0.5, 0), SIMD2(0.3, 0.16))
            || isInside(SIMD2(0, 1.1), SIMD2(0.45, 0.22))
        {
            return featureColour
        }
        guard isInside(SIMD2(0, 0.35), SIMD2(1.05, 1.45)) else { return backgroundColour }
        let shade = 1 - shading * p.x
        return (skinColour.0 * shade, skinColour.1 * shade, skinColour.2 * shade)
    }

    func crop(_ area: RotatedRectangle, outputWidth: Int, outputHeight: Int) throws(MediaError) -> RGBImage {
        throw MediaError(.invalidRequest, input: "painted face", detail: "is only measured")
    }

    /// By the even-odd rule, pixel centre by pixel centre.
    func meanColour(over polygons: [[(x: Double, y: Double)]]) throws(MediaError) -> MeanColour {
        var (red, green, blue, count) = (0.0, 0.0, 0.0, 0)
        for y in 0..<height {
            for x in 0..<width where isInside(polygons, Double(x) + 0.5, Double(y) + 0.5) {
                let colour = colour(x: x, y: y)
                red += colour.0
                green += colour.1
                blue += colour.2
                count += 1
            }
        }
        let scale = 1 / Double(max(1, count))
        return MeanColour(
            red: red * scale, green: green * scale, blue: blue * scale, pixelCount: count)
    }

    private func isInside(_ polygons: [[(x: Double, y: Double)]], _ x: Double, _ y: Double) -> Bool {
        var isInside = false
        for polygon in polygons {
            var previous = polygon.count - 1
            for index in polygon.indices {
                let (a, b) = (polygon[index], polygon[previous])
                if (a.y > y) != (b.y > y), x < (b.x - a.x) * (y - a.y) / (b.y - a.y) + a.x { isInside.toggle() }
                previous = index
            }
        }
        return isInside
    }
}
