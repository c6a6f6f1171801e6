import CFFmpeg
import Foundation

extension TrackParameters {
    /// `nil` if the stream is not of that kind, or its codec has no name.
    init?(stream: UnsafeMutablePointer<AVStream>, kind: TrackKind, formatName: String) {
        let codec = stream.pointee.codecpar.pointee
        guard let descriptor = avcodec_descriptor_get(codec.codec_id) else { return nil }
        self.init(kind: kind, codecName: String(cString: descriptor.pointee.name))
        if let bytes = codec.extradata, codec.extradata_size > 0 {
            extradata = [UInt8](UnsafeBufferPointer(start: bytes, count: Int(codec.extradata_size)))
        }
        codecTag = codec.codec_tag
        profile = Int(codec.profile)
        level = Int(codec.level)
        bitRate = codec.bit_rate
        bitsPerCodedSample = Int(codec.bits_per_coded_sample)
        switch kind {
        case .audio:
            sampleRateHz = Int(codec.sample_rate)
            channelCount = Int(codec.ch_layout.nb_channels)
            if codec.ch_layout.order == AV_CHANNEL_ORDER_NATIVE { channelLayoutMask = codec.ch_layout.u.mask }
            sampleFormatName = av_get_sample_fmt_name(AVSampleFormat(codec.format)).map { String(cString: $0) } ?? ""
            frameSizeSamples = Int(codec.frame_size)
            blockAlign = Int(codec.block_align)
            initialPaddingSamples = Int(codec.initial_padding)
            seekPrerollSamples = Int(codec.seek_preroll)
        case .video:
            width = Int(codec.width)
            height = Int(codec.height)
            pixelFormatName = av_get_pix_fmt_name(AVPixelFormat(codec.format)).map { String(cString: $0) } ?? ""
            rotationDegrees = Self.rotation(of: stream)
            pixelAspectRatio = Self.pixelAspectRatio(of: stream)
            let rate = stream.pointee.avg_frame_rate
            averageFrameRate = rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0
            reorderDelayFrames = Int(codec.video_delay)
            // FFmpeg's AVI and elementary-stream readers know when such pictures are decoded, not when they are shown.
            let withoutPTS = ["avi", "h264", "hevc"].contains(formatName)
            timesAreDecodingTimes = withoutPTS && ["h264", "hevc"].contains(codecName)
            colourMatrixName = av_color_space_name(codec.color_space).map { String(cString: $0) } ?? ""
            colourRangeName = av_color_range_name(codec.color_range).map { String(cString: $0) } ?? ""
        }
    }

    private static func rotation(of stream: UnsafeMutablePointer<AVStream>) -> Int {
        var size = 0
        guard let matrix = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size), size >= 36 else { return 0 }
        return matrix.withMemoryRebound(to: Int32.self, capacity: 9) { uprightTurn(displayMatrix: $0) }
    }

    /// The container's word, else the stream's own. A ratio that no camera has is a slip.
    private static func pixelAspectRatio(of stream: UnsafeMutablePointer<AVStream>) -> Double {
        let stated = av_guess_sample_aspect_ratio(nil, stream, nil)
        guard stated.num > 0, stated.den > 0, (0.25...4).contains(av_q2d(stated)) else { return 1 }
        return av_q2d(stated)
    }

    /// How far to turn clockwise, to the nearest quarter. FFmpeg states the angle counter-clockwise.
    static func uprightTurn(displayMatrix: UnsafePointer<Int32>) -> Int {
        let degrees = av_display_rotation_get(displayMatrix)
        guard degrees.isFinite else { return 0 }
        let quarters = Int((-degrees / 90).rounded()) % 4
        return (quarters + 4) % 4 * 90
    }
}

/// A codec ready to decode a track.
final class OpenCodec {
    let context: UnsafeMutablePointer<AVCodecContext>

    /// Stop at pictures beyond this size, which only a damaged stream states: 8192 x 8192.
    private static let maximumPixels: Int64 = 1 << 26
    private static let maximumExtradataBytes = 1 << 24

    init(_ track: TrackParameters, threadCount: Int, deblocking: Deblocking = .everywhere) throws(MediaError) {
        FFmpegSetup.once
        guard let descriptor = avcodec_descriptor_get_by_name(track.codecName),
            let codec = avcodec_find_decoder(descriptor.pointee.id)
        else { throw MediaError(.unsupportedCodec, input: track.codecName, detail: "there is no decoder for this codec") }
        var allocated = avcodec_alloc_context3(codec)
        guard let context = allocated else { throw .outOfMemory(track.codecName) }
        do throws(MediaError) {
            try Self.configure(context, codec: codec, track: track)
            context.pointee.thread_count = Int32(clamping: max(1, min(threadCount, 64)))
            context.pointee.max_pixels = Self.maximumPixels
            context.pointee.pkt_timebase = AVRational(num: 1, den: 1_000_000_000)
            if deblocking == .referencesOnly { context.pointee.skip_loop_filter = AVDISCARD_NONREF }
            if track.kind == .audio { context.pointee.flags2 |= AV_CODEC_FLAG2_SKIP_MANUAL }
            let result = avcodec_open2(context, codec, nil)
            guard result >= 0 else {
                throw MediaError(
                    .unsupportedCodec, input: track.codecName,
                    detail: "the decoder cannot be opened: \(MediaError.text(of: result))")
            }
        } catch {
            avcodec_free_context(&allocated)
            throw error
        }
        self.context = context
    }

    deinit {
        var context: UnsafeMutablePointer<AVCodecContext>? = context
        avcodec_free_context(&context)
    }

    private static func configure(
        _ context: UnsafeMutablePointer<AVCodecContext>, codec: UnsafePointer<AVCodec>, track: TrackParameters
    ) throws(MediaError) {
        var allocated = avcodec_parameters_alloc()
        guard let parameters = allocated else { throw .outOfMemory(track.codecName) }
        defer { avcodec_parameters_free(&allocated) }
        parameters.pointee.codec_type = track.kind == .audio ? AVMEDIA_TYPE_AUDIO : AVMEDIA_TYPE_VIDEO
        parameters.pointee.codec_id = codec.pointee.id
        guard codec.pointee.type == parameters.pointee.codec_type, track.extradata.count <= maximumExtradataBytes else {
            throw MediaError(.unsupportedCodec, input: track.codecName, detail: "its parameters do not fit a \(track.kind.rawValue) track")
        }
        if !track.extradata.isEmpty {
            guard let bytes = av_mallocz(track.extradata.count + Int(AV_INPUT_BUFFER_PADDING_SIZE)) else {
                throw .outOfMemory(track.codecName)
            }
            track.extradata.withUnsafeBytes { bytes.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
            parameters.pointee.extradata = bytes.assumingMemoryBound(to: UInt8.self)
            parameters.pointee.extradata_size = Int32(track.extradata.count)
        }
        parameters.pointee.codec_tag = track.codecTag
        parameters.pointee.profile = Int32(clamping: track.profile)
        parameters.pointee.level = Int32(clamping: track.level)
        parameters.pointee.bit_rate = track.bitRate
        parameters.pointee.bits_per_coded_sample = Int32(clamping: track.bitsPerCodedSample)
        switch track.kind {
        case .audio:
            parameters.pointee.format = av_get_sample_fmt(track.sampleFormatName).rawValue
            parameters.pointee.sample_rate = Int32(clamping: track.sampleRateHz)
            let channels = Int32(clamping: max(0, min(track.channelCount, 255)))
            if track.channelLayoutMask == 0
                || av_channel_layout_from_mask(&parameters.pointee.ch_layout, track.channelLayoutMask) < 0
                || parameters.pointee.ch_layout.nb_channels != channels
            {
                av_channel_layout_uninit(&parameters.pointee.ch_layout)
                av_channel_layout_default(&parameters.pointee.ch_layout, channels)
            }
            parameters.pointee.frame_size = Int32(clamping: track.frameSizeSamples)
            parameters.pointee.block_align = Int32(clamping: track.blockAlign)
            parameters.pointee.initial_padding = Int32(clamping: track.initialPaddingSamples)
            parameters.pointee.seek_preroll = Int32(clamping: track.seekPrerollSamples)
        case .video:
            parameters.pointee.format = av_get_pix_fmt(track.pixelFormatName).rawValue
            parameters.pointee.width = Int32(clamping: track.width)
            parameters.pointee.height = Int32(clamping: track.height)
            parameters.pointee.video_delay = Int32(clamping: max(0, min(track.reorderDelayFrames, 16)))
            let matrix = av_color_space_from_name(track.colourMatrixName)
            if matrix >= 0 { parameters.pointee.color_space = AVColorSpace(UInt32(matrix)) }
            let range = av_color_range_from_name(track.colourRangeName)
            if range >= 0 { parameters.pointee.color_range = AVColorRange(UInt32(range)) }
        }
        let result = avcodec_parameters_to_context(context, parameters)
        guard result >= 0 else {
            throw MediaError(.unsupportedCodec, input: track.codecName, detail: "bad parameters: \(MediaError.text(of: result))")
        }
    }

    /// Feeds a packet (`nil`: the end) and hands over every frame that comes out.
    /// - Returns: how many failures there were.
    func decode(_ packet: EncodedPacket?, into packetBuffer: PacketBuffer, frame: UnsafeMutablePointer<AVFrame>, _ take: () -> Void) -> Int {
        var failures = 0
        var isSent = false
        if let packet, !packetBuffer.fill(packet) { return 1 }
        while true {
            if !isSent {
                let result = avcodec_send_packet(context, packet == nil ? nil : packetBuffer.packet)
                if result != ADREACT_ERROR_TRY_AGAIN {
                    isSent = true
                    if result < 0, result != ADREACT_ERROR_EOF { failures += 1 }
                }
            }
            let result = avcodec_receive_frame(context, frame)
            if result >= 0 {
                take()
                av_frame_unref(frame)
            } else if result == ADREACT_ERROR_TRY_AGAIN || result == ADREACT_ERROR_EOF {
                if isSent { return failures }
                // Neither takes nor gives: a broken decoder.
                return failures + 1
            } else {
                failures += 1
                if failures > 64 { return failures }
            }
        }
    }
}

/// One AVPacket that is filled again and again.
final class PacketBuffer {
    let packet: UnsafeMutablePointer<AVPacket>

    init() throws(MediaError) {
        guard let packet = av_packet_alloc() else { throw .outOfMemory("packet") }
        self.packet = packet
    }

    deinit {
        var packet: UnsafeMutablePointer<AVPacket>? = packet
        av_packet_free(&packet)
    }

    /// False if there is no memory for it.
    func fill(_ encoded: EncodedPacket) -> Bool {
        av_packet_unref(packet)
        guard let size = Int32(exactly: encoded.payload.count), av_new_packet(packet, size) >= 0 else { return false }
        encoded.payload.withUnsafeBytes { bytes in
            if let source = bytes.baseAddress { memcpy(packet.pointee.data, source, bytes.count) }
        }
        packet.pointee.pts = encoded.ptsNanoseconds
        packet.pointee.duration = encoded.durationNanoseconds
        packet.pointee.pos = Int64(bitPattern: encoded.index)  // comes back with the frame
        packet.pointee.flags = (encoded.isKeyframe ? AV_PKT_FLAG_KEY : 0) | (encoded.isHidden ? AV_PKT_FLAG_DISCARD : 0)
        return true
    }
}
