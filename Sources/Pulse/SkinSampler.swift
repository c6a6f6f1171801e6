import Foundation
import Media

/// Measures the colour of a face's skin, frame by frame.
///
/// The regions follow the face through a filter: a still face keeps still regions, so that the jitter of the detector does not
/// modulate the colour, and a moving one is followed at once. All state begins anew with each segment of the video; the
/// first frame of a segment is also measured in the regions as they were before, which joins the two.
///
/// Where the colour changes more from one frame to the next than skin can (a step of the camera's exposure, a lamp, a hand before the face, a
/// head that turns), the frame is left out, and what lies on both sides of it is joined.
///
/// Not thread-safe: one sampler for one video, frames in order.
public final class SkinSampler {
    public let settings: SkinSamplerSettings
    private var track: Track?
    private var segment: UInt32?
    /// Of the present segment.
    private var recent: Recent?
    /// The regions were placed anew, and have not been measured since.
    private var unjoined: Unjoined?

    /// The face in the present segment.
    private struct Track {
        var keypoints: [SIMD2<Double>]
        var velocity: [SIMD2<Double>]
        var frameCount = 1
        var ptsNanoseconds: Int64
        /// In the face's own frame of reference: as it is used, and the mean of those that were seen, which it follows.
        var shape, meanShape: FaceContours
        var shapeCount = 1

        var frame: FaceFrame { FaceFrame(keypoints: keypoints) }
    }

    /// The regions in the frames before.
    private struct Recent {
        var lastUsed: [SkinRegion: ColourMean]
        /// Those of the last frame that was measured, used or not.
        var last: [SkinRegion: ColourMean]
        var wasUsed: Bool
    }

    /// What was before the regions were placed anew; nothing after a cut.
    private struct Unjoined {
        var track: Track?
        var recent: Recent?
    }

    public init(settings: SkinSamplerSettings = SkinSamplerSettings()) {
        self.settings = settings
    }

    /// - Parameter network: nil: no samples with pictures are needed.
    public convenience init(for network: FaceWaveNetwork?) {
        var settings = SkinSamplerSettings()
        settings.pictureSidePixels = network?.sidePixels
        self.init(settings: settings)
    }

    /// - Parameters:
    ///   - frame: The next frame.
    ///   - face: nil if there is none in it.
    /// - Throws: `MediaError` if the frame cannot be read.
    public func sample(_ frame: VideoFrame, face: FaceArea?) throws(MediaError) -> SkinSample {
        try sample(frame, ptsNanoseconds: frame.ptsNanoseconds, segment: frame.segment, face: face)
    }

    /// - Parameters:
    ///   - picture: The next frame.
    ///   - ptsNanoseconds: When it is shown.
    ///   - segment: The segment of the video that it belongs to.
    ///   - face: nil if there is none in it.
    /// - Throws: `MediaError` if the picture cannot be read.
    public func sample(
        _ picture: some MeasurablePicture, ptsNanoseconds: Int64, segment: UInt32, face: FaceArea?
    ) throws(MediaError) -> SkinSample {
        let isNewSegment = self.segment != segment
        self.segment = segment
        var former = track
        if let last = former, !isRecent(last, at: ptsNanoseconds) { former = nil }
        func unusable(_ problem: SkinProblem) -> SkinSample {
            if isNewSegment { (former, recent, unjoined) = (nil, nil, nil) }
            track = former
            return SkinSample(ptsNanoseconds: ptsNanoseconds, outcome: .unusable(problem))
        }
        guard let face else { return unusable(.noFace) }
        // After a cut, or where another face takes over, nothing joins.
        if let last = former, isElsewhere(face, than: last) { former = nil }
        let isPlacedAnew = isNewSegment || former == nil
        guard let (current, speed) = follow(face, from: isPlacedAnew ? nil : former, at: ptsNanoseconds) else {
            return unusable(face.contours == .hidden ? .faceHidden : .faceMoving)
        }
        track = current
        if isPlacedAnew {
            // Regions that were never measured join nothing.
            unjoined = former == nil || unjoined != nil ? Unjoined() : Unjoined(track: former, recent: recent)
            recent = nil
        }
        let outcome = try measure(picture, current, speed: speed)
        guard case .usable(var colours) = outcome else {
            return SkinSample(ptsNanoseconds: ptsNanoseconds, outcome: outcome)
        }
        if let unjoined {
            colours.regionsBeforeJump = try regions(of: picture, before: unjoined, at: ptsNanoseconds)
            self.unjoined = nil
        }
        let jumps = recent.map { isJump(from: $0.last, to: colours.regions) } ?? false
        if let recent, !jumps, !recent.wasUsed { colours.regionsBeforeJump = recent.lastUsed }
        recent = Recent(lastUsed: jumps ? recent?.lastUsed ?? [:] : colours.regions, last: colours.regions, wasUsed: !jumps)
        guard !jumps else { return SkinSample(ptsNanoseconds: ptsNanoseconds, outcome: .unusable(.colourJumping)) }
        if let side = settings.pictureSidePixels {
            colours.picture = try picture.crop(
                FaceWaveFraming.area(for: current.keypoints), outputWidth: side, outputHeight: side)
        }
        return SkinSample(ptsNanoseconds: ptsNanoseconds, outcome: .usable(colours))
    }
}

/// How skin is sampled.
public struct SkinSamplerSettings: Sendable, Equatable {
    /// How slowly the regions follow a still face: the corner frequency of the filter on its keypoints, Hz.
    public var stillCornerHz = 0.3
    /// How much faster they follow a moving one: Hz for each eye distance a second.
    public var cornerHzPerSpeed = 3.0
    /// The corner frequency of the filter on the speed, Hz.
    public var speedCornerHz = 1.0
    /// How much of the face's shape each new one makes up at least, 0 to 1; at the start it is the plain mean.
    public var leastShapeShare = 0.1
    /// Above this the frame is not used, eye distances a second.
    public var highestSpeed = 2.0
    /// A face that is farther than this from where it was in the last frame is another one, eye distances.
    public var longestStep = 0.8
    /// A region whose colour changes by more than this share from one frame to the next has jumped. A pulse changes it by 0.5 % at most, a
    /// talking head by 4 %, a head that is shaken by 6 %.
    public var highestColourStep = 0.1
    /// The fewest pixels of skin, over all regions.
    public var leastPixels = 200
    /// The mean of the brightest and darkest channel must lie within, 0...255.
    public var darkest = 12.0
    public var brightest = 250.0
    /// The width and height of the picture of the face that a sample brings, for a `FaceWaveNetwork`; nil: none.
    public var pictureSidePixels: Int?
    /// How long a face may be lost and still be joined to what was before, s.
    public var longestGapSeconds = 0.5

    public init() {}
}

extension SkinSampler {
    private func isRecent(_ track: Track, at time: Int64) -> Bool {
        let gap = Double(time &- track.ptsNanoseconds) / 1e9
        return gap > 0 && gap <= settings.longestGapSeconds
    }

    private func isElsewhere(_ face: FaceArea, than track: Track) -> Bool {
        let offsets = zip(face.keypoints, track.keypoints).map { $0 - $1 }
        let middle = offsets.reduce(.zero, +) / Double(offsets.count)
        let unit = track.frame.unitPixels
        let growth = FaceFrame(keypoints: face.keypoints).unitPixels / unit
        return hypot(middle.x, middle.y) > settings.longestStep * unit || !(0.7...1.4).contains(growth)
    }

    /// The "1 Euro" filter (Casiez, Roussel and Vogel, CHI 2012) on the keypoints, with one corner frequency for all of
    /// them; at the start it is the plain mean of the frames so far.
    ///
    /// - Returns: The filtered face, and its speed in eye distances a second; nil if its shape is not known.
    private func follow(_ face: FaceArea, from former: Track?, at time: Int64) -> (Track, speed: Double)? {
        var seenShape: FaceContours?
        switch face.contours {
        case .hidden: return nil
        case .seen(let contours): seenShape = contours.map(FaceFrame(keypoints: face.keypoints).onFace)
        case .asBefore: break
        }
        guard var track = former else {
            let still = [SIMD2<Double>](repeating: .zero, count: face.keypoints.count)
            return seenShape.map {
                (Track(keypoints: face.keypoints, velocity: still, ptsNanoseconds: time, shape: $0, meanShape: $0), 0)
            }
        }
        let seconds = Double(time - track.ptsNanoseconds) / 1e9
        func weight(_ cornerHz: Double) -> Double {
            let step = 2 * .pi * cornerHz * seconds
            return step / (1 + step)
        }
        let unit = track.frame.unitPixels
        let speedWeight = weight(settings.speedCornerHz)
        var sum = SIMD2<Double>.zero
        for index in face.keypoints.indices {
            let velocity = (face.keypoints[index] - track.keypoints[index]) / (seconds * unit)
            track.velocity[index] += speedWeight * (velocity - track.velocity[index])
            sum += track.velocity[index]
        }
        let middle = sum / Double(face.keypoints.count)
        let speed = hypot(middle.x, middle.y)
        track.frameCount += 1
        let followed = max(
            weight(settings.stillCornerHz + settings.cornerHzPerSpeed * speed), 1 / Double(track.frameCount))
        for index in face.keypoints.indices {
            track.keypoints[index] += followed * (face.keypoints[index] - track.keypoints[index])
        }
        if let seenShape {
            track.shapeCount += 1
            track.meanShape = track.meanShape.mixed(with: seenShape, share: max(settings.leastShapeShare, 1 / Double(track.shapeCount)))
        }
        // Not at once: every step would be seen in the colour.
        track.shape = track.shape.mixed(with: track.meanShape, share: followed)
        track.ptsNanoseconds = time
        return (track, speed)
    }

    private func measure(
        _ picture: some MeasurablePicture, _ face: Track, speed: Double
    ) throws(MediaError) -> SkinSample.Outcome {
        if speed > settings.highestSpeed { return .unusable(.faceMoving) }
        let regions = try regions(of: picture, face)
        let pixels = regions.values.reduce(0) { $0 + $1.pixelCount }
        guard pixels >= settings.leastPixels else { return .unusable(.faceTooSmall) }
        let channels = SkinRegion.allCases.compactMap { regions[$0] }.map { ($0.red, $0.green, $0.blue) }
        if channels.contains(where: { max($0.0, $0.1, $0.2) > settings.brightest }) { return .unusable(.tooBright) }
        if channels.contains(where: { max($0.0, $0.1, $0.2) < settings.darkest }) { return .unusable(.tooDark) }
        return .usable(SkinColours(regions: regions))
    }

    private func regions(of picture: some MeasurablePicture, _ face: Track) throws(MediaError) -> [SkinRegion: ColourMean] {
        var regions: [SkinRegion: ColourMean] = [:]
        let frame = face.frame
        for (region, outline) in SkinGeometry(shape: face.shape).outlines {
            let inPicture = outline.map { line in
                line.map { point in
                    let place = frame.inPicture(point)
                    return (x: place.x, y: place.y)
                }
            }
            let mean = try picture.meanColour(over: inPicture)
            if mean.pixelCount >= max(1, settings.leastPixels / 10) {
                regions[region] = ColourMean(
                    red: mean.red, green: mean.green, blue: mean.blue, pixelCount: mean.pixelCount)
            }
        }
        return regions
    }

    /// What later colours are the continuation of: the regions as they were, in this picture; or in the last picture that was used, if the
    /// colour has jumped since.
    private func regions(
        of picture: some MeasurablePicture, before: Unjoined, at time: Int64
    ) throws(MediaError) -> [SkinRegion: ColourMean] {
        guard let track = before.track, isRecent(track, at: time) else { return [:] }
        let seen = try regions(of: picture, track)
        guard let recent = before.recent else { return seen }
        return !recent.wasUsed || isJump(from: recent.last, to: seen) ? recent.lastUsed : seen
    }

    private func isJump(from last: [SkinRegion: ColourMean], to now: [SkinRegion: ColourMean]) -> Bool {
        func level(_ colour: ColourMean) -> Double { colour.red + colour.green + colour.blue }
        return now.contains { region, colour in
            last[region].map { abs(level(colour) - level($0)) > settings.highestColourStep * level($0) } ?? false
        }
    }
}
