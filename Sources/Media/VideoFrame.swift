import CFFmpeg

/// One decoded picture with its time. Holds the decoder's memory (no copy) until it is released.
public final class VideoFrame: MeasurablePicture, @unchecked Sendable {  // never written to after init
    /// When it is shown, in media time.
    public let ptsNanoseconds: Int64
    /// Until the next frame is shown; of the last frame, as the container says.
    public let durationNanoseconds: Int64
    /// The segment that its time lies in: a leading packet's frame belongs to the segment before that packet's.
    public let segment: UInt32
    /// Index of the packet that it was decoded from.
    public let packetIndex: UInt64
    /// Upright, in square pixels.
    public let width: Int
    public let height: Int

    private let frame: FrameReference
    private let turn: QuarterTurn
    /// Where the pixel format had to be converted to be read.
    private let picture: Result<adreact_picture, MediaError>

    init(_ decoded: DecodedPicture, durationNanoseconds: Int64, track: TrackParameters) {
        ptsNanoseconds = decoded.ptsNanoseconds
        self.durationNanoseconds = durationNanoseconds
        segment = decoded.segment
        packetIndex = decoded.packetIndex
        let (readable, picture) = decoded.frame.readablePicture()
        frame = readable
        self.picture = picture
        let stored = decoded.frame.frame.pointee
        turn = QuarterTurn(
            degrees: track.rotationDegrees, storedWidth: Int(stored.width), storedHeight: Int(stored.height),
            pixelAspectRatio: track.pixelAspectRatio)
        width = turn.uprightWidth
        height = turn.uprightHeight
    }

    public func crop(_ area: RotatedRectangle, outputWidth: Int, outputHeight: Int) throws(MediaError) -> RGBImage {
        try withExtendedLifetime(frame) { () throws(MediaError) -> RGBImage in
            try picture.get().crop(area, outputWidth: outputWidth, outputHeight: outputHeight, turn: turn)
        }
    }

    public func meanColour(over polygons: [[(x: Double, y: Double)]]) throws(MediaError) -> MeanColour {
        try withExtendedLifetime(frame) { () throws(MediaError) -> MeanColour in
            try picture.get().meanColour(over: polygons, turn: turn)
        }
    }
}

/// A reference to an AVFrame's buffers.
final class FrameReference: @unchecked Sendable {  // the frame is only read
    let frame: UnsafeMutablePointer<AVFrame>

    /// Takes the buffers over, leaving `source` empty. `nil`: out of memory.
    init?(moving source: UnsafeMutablePointer<AVFrame>) {
        guard let frame = av_frame_alloc() else { return nil }
        av_frame_move_ref(frame, source)
        self.frame = frame
    }

    deinit {
        var frame: UnsafeMutablePointer<AVFrame>? = frame
        av_frame_free(&frame)
    }

    /// The pixels where they lie; for formats that cannot be read directly (palettes, Bayer, big-endian), a copy as
    /// RGB, kept for as long as the frame.
    func readablePicture() -> (FrameReference, Result<adreact_picture, MediaError>) {
        var picture = adreact_picture()
        if adreact_picture_of_frame(frame, &picture) >= 0 { return (self, .success(picture)) }
        let name = av_get_pix_fmt_name(AVPixelFormat(frame.pointee.format)).map { String(cString: $0) } ?? "unknown"
        guard let converted = convertedToRGB(), adreact_picture_of_frame(converted.frame, &picture) >= 0 else {
            let detail = "pictures of this pixel format cannot be read; convert the recording to yuv420p"
            return (self, .failure(MediaError(.unsupportedCodec, input: name, detail: detail)))
        }
        return (converted, .success(picture))
    }

    private func convertedToRGB() -> FrameReference? {
        var destination = av_frame_alloc()
        defer { av_frame_free(&destination) }
        guard let target = destination else { return nil }
        target.pointee.format = AV_PIX_FMT_RGB24.rawValue
        target.pointee.width = frame.pointee.width
        target.pointee.height = frame.pointee.height
        guard sws_isSupportedInput(AVPixelFormat(frame.pointee.format)) != 0, av_frame_get_buffer(target, 0) >= 0,
            let scaler = sws_getContext(
                frame.pointee.width, frame.pointee.height, AVPixelFormat(frame.pointee.format), frame.pointee.width,
                frame.pointee.height, AV_PIX_FMT_RGB24, SWS_POINT | SWS_ACCURATE_RND, nil, nil, nil)
        else { return nil }
        defer { sws_freeContext(scaler) }
        guard sws_scale_frame(scaler, target, frame) >= 0 else { return nil }
        return FrameReference(moving: target)
    }
}
