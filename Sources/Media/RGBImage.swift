import CFFmpeg
import Foundation

/// A picture of 8-bit RGB, rows from the top without padding.
public struct RGBImage: MeasurablePicture, Sendable, Equatable {
    public let width: Int
    public let height: Int
    /// `width * height * 3` values: R, G, B of each pixel.
    public let pixels: [UInt8]

    /// `nil` unless there are `width * height * 3` values.
    public init?(width: Int, height: Int, pixels: [UInt8]) {
        guard (1...65535).contains(width), (1...65535).contains(height), pixels.count == width * height * 3 else { return nil }
        self.init(uncheckedWidth: width, height: height, pixels: pixels)
    }

    init(uncheckedWidth width: Int, height: Int, pixels: [UInt8]) {
        self.width = width
        self.height = height
        self.pixels = pixels
    }

    public func crop(_ area: RotatedRectangle, outputWidth: Int, outputHeight: Int) throws(MediaError) -> RGBImage {
        try withPicture { picture throws(MediaError) in
            try picture.crop(area, outputWidth: outputWidth, outputHeight: outputHeight, turn: upright)
        }
    }

    public func meanColour(over polygons: [[(x: Double, y: Double)]]) throws(MediaError) -> MeanColour {
        try withPicture { picture throws(MediaError) in
            try picture.meanColour(over: polygons, turn: upright)
        }
    }

    private var upright: QuarterTurn {
        QuarterTurn(degrees: 0, storedWidth: width, storedHeight: height)
    }

    private func withPicture<R>(_ body: (adreact_picture) throws(MediaError) -> R) throws(MediaError) -> R {
        let result = pixels.withUnsafeBufferPointer { buffer -> Result<R, MediaError> in
            var picture = adreact_picture()
            adreact_picture_of_rgb(buffer.baseAddress, Int32(width), Int32(height), &picture)
            do throws(MediaError) { return .success(try body(picture)) } catch { return .failure(error) }
        }
        return try result.get()
    }
}

extension RGBImage {
    /// Decodes a picture file (JPEG, PNG, WebP, BMP, ...), turned upright as its metadata says. Of several pictures in
    /// a file, the first.
    /// - Throws: `MediaError` for a file that is missing, not a picture, or damaged.
    public init(contentsOf path: String) throws(MediaError) {
        let source = try OpenSource(pictureAt: path)
        let packet = try PacketBuffer()
        guard let stream = source.video, let track = TrackParameters(stream: stream, kind: .video, formatName: source.formatName)
        else { throw MediaError(.notMedia, input: path, detail: "holds no picture") }
        let codec = try OpenCodec(track, threadCount: 1)
        var allocated = av_frame_alloc()
        defer { av_frame_free(&allocated) }
        guard let frame = allocated else { throw .outOfMemory(path) }
        var image: Result<RGBImage, MediaError>?
        let take = {
            guard image == nil else { return }
            let turn = frame.uprightTurn ?? track.rotationDegrees
            image = FrameReference(moving: frame).map { $0.image(turnedBy: turn) }
        }
        while image == nil, av_read_frame(source.context, packet.packet) >= 0 {
            defer { av_packet_unref(packet.packet) }
            guard packet.packet.pointee.stream_index == stream.pointee.index, let bytes = packet.packet.pointee.data else { continue }
            let payload = [UInt8](UnsafeBufferPointer(start: bytes, count: Int(packet.packet.pointee.size)))
            let encoded = EncodedPacket(
                track: .video, index: 0, ptsNanoseconds: 0, durationNanoseconds: 0, isKeyframe: true, segment: 0, payload: payload)
            _ = codec.decode(encoded, into: packet, frame: frame, take)
        }
        if image == nil { _ = codec.decode(nil, into: packet, frame: frame, take) }
        guard let image else { throw MediaError(.corrupt, input: path, detail: "the picture is damaged and cannot be decoded") }
        self = try image.get()
    }
}

extension UnsafeMutablePointer<AVFrame> {
    /// What the picture's own metadata (EXIF) says.
    fileprivate var uprightTurn: Int? {
        if let side = av_frame_get_side_data(self, AV_FRAME_DATA_DISPLAYMATRIX), side.pointee.size >= 36 {
            return side.pointee.data.withMemoryRebound(to: Int32.self, capacity: 9) { TrackParameters.uprightTurn(displayMatrix: $0) }
        }
        // FFmpeg reads EXIF into metadata; the values are those of the TIFF tag "Orientation".
        guard let entry = av_dict_get(pointee.metadata, "Orientation", nil, 0), let value = entry.pointee.value,
            let orientation = Int(String(cString: value).filter(\.isNumber))
        else { return nil }
        return [3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270][orientation]
    }
}

extension FrameReference {
    fileprivate func image(turnedBy degrees: Int) -> Result<RGBImage, MediaError> {
        let (readable, picture) = readablePicture()
        let turn = QuarterTurn(degrees: degrees, storedWidth: Int(frame.pointee.width), storedHeight: Int(frame.pointee.height))
        let (width, height) = (turn.uprightWidth, turn.uprightHeight)
        let area = RotatedRectangle(
            centreX: Double(width) / 2, centreY: Double(height) / 2, width: Double(width), height: Double(height))
        return withExtendedLifetime(readable) {
            do throws(MediaError) {
                return .success(try picture.get().crop(area, outputWidth: width, outputHeight: height, turn: turn))
            } catch { return .failure(error) }
        }
    }
}
