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
            let face = try #require(FaceArea(keypoints: shaded.keypoints.map { $0 + shift }))
            let time = Int64(frame) * 33_333_333
            let smooth = try colours(try sampler.sample(shaded, ptsNanoseconds: time, segment: 0, face: face))
            let alone = try colours(try SkinSampler().sample(shaded, ptsNanoseconds: time, segment: 0, face: face))
            sampled.append(green(smooth))
            raw.append(green(alone))
        }
        #expect(spread(sampled.suffix(90)) < 0.35 * spread(raw.suffix(90)))
    }

    @Test func theRegionsFollowAMovingHead() throws {
        // Half an eye distance a second across a picture of one colour: were the regions left behind, they would see background.
        let sampler = SkinSampler()
        for frame in 0..<60 {
            var moved = still
            moved.centre.x += 0.5 * Double(frame)
            let face = FaceArea(keypoints: moved.keypoints)
            let sample = try sampler.sample(
                moved, ptsNanoseconds: Int64(frame) * 33_333_333, segment: 0, face: face)
            #expect(abs(green(try colours(sample)) - 120) < 3)
        }
    }

    @Test func aNewSegmentStartsAnewAndIsJoinedByTheFrameItself() throws {
        let sampler = SkinSampler()
        let face = FaceArea(keypoints: still.keypoints)
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
        _ = try sampler.sample(still, ptsNanoseconds: 0, segment: 0, face: FaceArea(keypoints: still.keypoints))
        var other = still
        other.centre.x += 60
        let sample = try sampler.sample(
            other, ptsNanoseconds: 33_000_000, segment: 0, face: FaceArea(keypoints: other.keypoints))
        #expect(try colours(sample).regionsBeforeJump == [:])
    }

    @Test func aSideThatIsTurnedAwayIsLeftOut() throws {
        var turned = still.keypoints
        turned[4] = turned[0] + SIMD2(5, 0)
        let outlines = SkinGeometry(keypoints: turned).outlines
        #expect(outlines[.rightCheek] == nil)
        #expect(outlines[.leftCheek] != nil && outlines[.forehead] != nil)
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
        #expect(FaceArea(keypoints: Array(still.keypoints.dropLast())) == nil)
        #expect(FaceArea(keypoints: still.keypoints.map { _ in SIMD2(5, 5) }) == nil)
        #expect(FaceArea(keypoints: still.keypoints.map { _ in SIMD2(.nan, 5) }) == nil)
    }

    private func sample(_ picture: PaintedFace, at time: Int64) throws -> SkinSample {
        try sample(picture, at: time, face: FaceArea(keypoints: picture.keypoints))
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
    func meanColour(
        over polygons: [[(x: Double, y: Double)]], within limits: ChromaLimits?
    ) throws(MediaError) -> MeanColour {
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
            red: red * scale, green: green * scale, blue: blue * scale, pixelCount: count, coveredPixelCount: count)
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
