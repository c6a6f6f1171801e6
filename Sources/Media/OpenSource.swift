import CFFmpeg
import Foundation

/// An opened container with its chosen streams. What may be opened is a list of what counts as a recording: FFmpeg also
/// reads text as teletype art, playlists that name other files, and more.
final class OpenSource {
    let context: UnsafeMutablePointer<AVFormatContext>
    let formatName: String
    let audio: UnsafeMutablePointer<AVStream>?
    let video: UnsafeMutablePointer<AVStream>?
    let isLive: Bool
    /// Splices are part of the format, as in broadcast streams.
    let timesMayJump: Bool

    private let interruption: Interruption
    private let place: SourcePlace
    private let ownIO: DescriptorIO?

    /// A still picture: a file, never a device or the network.
    convenience init(pictureAt path: String) throws(MediaError) {
        try self.init(
            input: path, place: .local(path: path), formats: Self.pictureFormats, options: DemultiplexerOptions(),
            interruption: Interruption())
    }

    convenience init(input: String, options: DemultiplexerOptions, interruption: Interruption) throws(MediaError) {
        let place = try SourcePlace(input)
        let formats: [String]
        switch place {
        case .camera: formats = ["video4linux2", "v4l2"]
        case .network, .listener: formats = Self.containers + Self.networkContainers
        case .local: formats = Self.containers
        }
        try self.init(input: input, place: place, formats: formats, options: options, interruption: interruption)
    }

    private init(
        input: String, place: SourcePlace, formats: [String], options: DemultiplexerOptions, interruption: Interruption
    ) throws(MediaError) {
        FFmpegSetup.once
        let ownIO = try place.openDescriptor(input: input, interruption: interruption)
        let format = try Self.open(input, place, ownIO, formats: formats, options: options, interruption: interruption)
        do throws(MediaError) {
            try Self.inspect(format, input: input, place: place, options: options, interruption: interruption)
            (audio, video) = try Self.chooseStreams(format, input: input)
        } catch {
            var opened: UnsafeMutablePointer<AVFormatContext>? = format
            avformat_close_input(&opened)
            throw error
        }
        context = format
        formatName = Self.name(of: format.pointee.iformat)
        isLive = place.isLive(durationIsKnown: format.pointee.duration > 0)
        timesMayJump = (format.pointee.iformat.map { $0.pointee.flags } ?? 0) & AVFMT_TS_DISCONT != 0
        self.interruption = interruption
        self.place = place
        self.ownIO = ownIO
        for i in 0..<Int(format.pointee.nb_streams) {
            guard let stream = format.pointee.streams[i], stream != audio, stream != video else { continue }
            stream.pointee.discard = AVDISCARD_ALL
        }
    }

    deinit {
        var context: UnsafeMutablePointer<AVFormatContext>? = context
        avformat_close_input(&context)
    }

    var durationNanoseconds: Int64? {
        let microseconds = context.pointee.duration
        return microseconds > 0 && microseconds < Int64.max / 1000 ? microseconds * 1000 : nil
    }

    /// Not an estimate from the bit rate.
    var durationIsStated: Bool { context.pointee.duration_estimation_method != AVFMT_DURATION_FROM_BITRATE }

    var isAtEnd: Bool { context.pointee.pb.map { avio_feof($0) != 0 } ?? false }

    func startWaiting(seconds: Double) {
        if place.canStall { adreact_interruption_set_timeout(interruption.handle, seconds) }
    }

    var timedOut: Bool { adreact_interruption_timed_out(interruption.handle) != 0 }

    // MARK: Opening

    /// Containers of sound and moving pictures. Not in the list: text, subtitles, still pictures, playlists of local
    /// files, and everything that opens further files.
    private static let containers = [
        "mov", "matroska", "webm", "avi", "mpegts", "mpeg", "mpegvideo", "m4v", "flv", "live_flv", "ogg", "wav", "w64",
        "aiff", "caf", "au", "mp3", "aac", "loas", "flac", "ac3", "eac3", "dts", "amr", "amrnb", "amrwb", "asf", "mxf",
        "nut", "ivf", "h264", "hevc", "mjpeg", "dv", "rm", "wtv", "wv", "ape", "tta", "gxf", "vc1", "obu", "av1",
        "voc", "nsv", "mpjpeg", "truehd", "mlp", "tak",
    ]
    private static let pictureFormats = [
        "jpeg_pipe", "png_pipe", "webp_pipe", "bmp_pipe", "tiff_pipe", "ppm_pipe", "pgm_pipe", "gif", "jpegls_pipe",
        "j2k_pipe", "mov",
    ]
    private static let networkContainers = ["hls", "dash", "rtsp", "rtp", "sdp"]

    private static func limit(
        _ context: UnsafeMutablePointer<AVFormatContext>, place: SourcePlace, formats: [String], options: DemultiplexerOptions
    ) {
        context.pointee.format_whitelist = av_strdup(formats.joined(separator: ","))
        context.pointee.protocol_whitelist = av_strdup(place.protocols)
        context.pointee.probesize = Int64(max(options.probeBytes, 4096))
        context.pointee.format_probesize = Int32(clamping: min(max(options.probeBytes, 4096), 1 << 20))
        context.pointee.max_analyze_duration = Int64(min(max(options.probeSeconds, 0.1), 600) * 1e6)
        context.pointee.max_streams = 64
        context.pointee.flags |= AVFMT_FLAG_GENPTS
    }

    private static func open(
        _ input: String, _ place: SourcePlace, _ ownIO: DescriptorIO?, formats: [String],
        options: DemultiplexerOptions, interruption: Interruption
    ) throws(MediaError) -> UnsafeMutablePointer<AVFormatContext> {
        adreact_interruption_set_timeout(interruption.handle, place.openTimeoutSeconds(options))
        if case .listener(_, let port) = place {
            adreact_interruption_set_listening(interruption.handle, Int32(port), options.openTimeoutSeconds)
        }
        var format: UnsafePointer<AVInputFormat>?
        var settings: OpaquePointer?
        defer { av_dict_free(&settings) }
        if let ownIO {
            format = try recognise(ownIO, input: input, formats: formats, options: options, interruption: interruption)
        } else if case .camera = place {
            format = av_find_input_format("v4l2")
            guard format != nil else {
                throw MediaError(.unsupportedProtocol, input: input, detail: "cameras are read by the demuxer alone: start the pipeline")
            }
        } else if let (key, value) = place.listenOption {
            av_dict_set(&settings, key, value, 0)
        }
        var opened: UnsafeMutablePointer<AVFormatContext>? = avformat_alloc_context()
        guard let context = opened else { throw .outOfMemory(input) }
        adreact_interruption_attach(interruption.handle, context)
        limit(context, place: place, formats: formats, options: options)
        context.pointee.pb = ownIO?.context
        let result = avformat_open_input(&opened, place.url, format, &settings)  // frees the context where it fails
        guard result >= 0, let opened else {
            throw explain(result, input: input, place: place, formatName: name(of: format), interruption: interruption)
        }
        return opened
    }

    /// Finds out what local bytes are, before anything is believed of them.
    private static func recognise(
        _ io: DescriptorIO, input: String, formats: [String], options: DemultiplexerOptions, interruption: Interruption
    ) throws(MediaError) -> UnsafePointer<AVInputFormat> {
        // Below FFmpeg's own threshold for looking again at more bytes: a guess.
        let certainEnough = AVPROBE_SCORE_MAX / 4
        var format: UnsafePointer<AVInputFormat>?
        let bytes = UInt32(min(max(options.probeBytes, 4096), 1 << 20))
        // By content alone for pictures: the ending .jpg would name the reader of numbered picture files.
        let score = av_probe_input_buffer2(io.context, &format, formats == pictureFormats ? "" : input, nil, 0, bytes)
        if interruption.isInterrupted { throw MediaError(.interrupted, input: input, detail: "opening was stopped") }
        if io.context.pointee.pos == 0 && avio_feof(io.context) != 0 {
            throw MediaError(.empty, input: input, detail: "there is nothing in it")
        }
        guard score >= certainEnough, let format else {
            throw MediaError(.notMedia, input: input, detail: "it is not audio or video that can be recognised")
        }
        let names = name(of: format)
        guard names.split(separator: ",").contains(where: { formats.contains(String($0)) }) else {
            throw MediaError(.notMedia, input: input, detail: "it looks like \(names), which is not audio or video; give a recording")
        }
        return format
    }

    private static func inspect(
        _ context: UnsafeMutablePointer<AVFormatContext>, input: String, place: SourcePlace, options: DemultiplexerOptions,
        interruption: Interruption
    ) throws(MediaError) {
        // Now somebody has come.
        if case .listener = place { adreact_interruption_set_timeout(interruption.handle, options.openTimeoutSeconds) }
        let result = avformat_find_stream_info(context, nil)
        if result < 0 || interruption.isInterrupted || adreact_interruption_timed_out(interruption.handle) != 0 {
            throw explain(
                result, input: input, place: place, formatName: name(of: context.pointee.iformat), interruption: interruption)
        }
    }

    /// The best audio and video stream that can be decoded. Cover art is not video.
    private static func chooseStreams(
        _ context: UnsafeMutablePointer<AVFormatContext>, input: String
    ) throws(MediaError) -> (UnsafeMutablePointer<AVStream>?, UnsafeMutablePointer<AVStream>?) {
        var codecsWithoutDecoder: [String] = []
        let streams = (0..<Int(context.pointee.nb_streams)).compactMap { context.pointee.streams[$0] }
        func isUsable(_ stream: UnsafeMutablePointer<AVStream>) -> Bool {
            let codec = stream.pointee.codecpar.pointee
            let stills = AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_STILL_IMAGE | AV_DISPOSITION_TIMED_THUMBNAILS
            if stream.pointee.disposition & stills != 0 { return false }
            let isWhole = codec.codec_type == AVMEDIA_TYPE_VIDEO
                ? codec.width > 0 && codec.height > 0 : codec.sample_rate > 0 && codec.ch_layout.nb_channels > 0
            guard isWhole else { return false }
            if avcodec_find_decoder(codec.codec_id) == nil {
                codecsWithoutDecoder.append(String(cString: avcodec_get_name(codec.codec_id)))
                return false
            }
            return true
        }
        func best(_ type: AVMediaType) -> UnsafeMutablePointer<AVStream>? {
            let candidates = streams.filter { $0.pointee.codecpar.pointee.codec_type == type && isUsable($0) }
            let preferred = av_find_best_stream(context, type, -1, -1, nil, 0)
            return candidates.first { $0.pointee.index == preferred } ?? candidates.first
        }
        let chosen = (best(AVMEDIA_TYPE_AUDIO), best(AVMEDIA_TYPE_VIDEO))
        if chosen.0 == nil, chosen.1 == nil {
            if let codec = codecsWithoutDecoder.first {
                throw MediaError(.unsupportedCodec, input: input, detail: "there is no decoder for \(codec); convert the recording, for example to H.264 and AAC")
            }
            let isMOV = name(of: context.pointee.iformat).contains("mp4")
            throw MediaError(
                isMOV ? .corrupt : .notMedia, input: input, detail: "it holds neither an audio nor a video track that can be read")
        }
        return chosen
    }

    // MARK: Words

    private static func name(of format: UnsafePointer<AVInputFormat>?) -> String {
        format.flatMap { $0.pointee.name }.map { String(cString: $0) } ?? ""
    }

    private static func explain(
        _ result: Int32, input: String, place: SourcePlace, formatName: String, interruption: Interruption
    ) -> MediaError {
        if interruption.isInterrupted { return MediaError(.interrupted, input: input, detail: "opening was stopped") }
        let timedOut = adreact_interruption_timed_out(interruption.handle) != 0
        let words = MediaError.text(of: result)
        if case .listener = place {
            // Whoever sends UDP does not come, but what came was something.
            guard adreact_interruption_somebody_came(interruption.handle) != 0 || result == ADREACT_ERROR_INVALID_DATA else {
                return timedOut ? MediaError(.io, input: input, detail: "nobody sends")
                    : MediaError(.io, input: input, detail: "cannot listen there (\(words)); is the port in use, and the address one of this machine's?")
            }
            return MediaError(
                .unreadableSender, input: input,
                detail: timedOut ? "somebody came, and sent nothing" : "what was sent is not audio or video that can be recognised")
        }
        if timedOut { return MediaError(.io, input: input, detail: "no answer in time; check the source and the network") }
        switch place {
        case .camera:
            return MediaError(.deviceUnavailable, input: input, detail: "the camera cannot be opened (\(words)); is another program using it?")
        case .network, .listener:
            switch result {
            case ADREACT_ERROR_PROTOCOL_NOT_FOUND:
                return MediaError(.unsupportedProtocol, input: input, detail: "this build of FFmpeg does not speak that protocol")
            case ADREACT_ERROR_INVALID_DATA:
                return MediaError(.notMedia, input: input, detail: "what it sends is not audio or video that can be recognised")
            default:
                return MediaError(.io, input: input, detail: "cannot be read: \(words)")
            }
        case .local:
            if formatName.contains("mp4") {
                return MediaError(
                    .corrupt, input: input,
                    detail: "its index (moov atom) is missing or damaged, as when recording or copying stopped half-way; copy it again, or repair it. An mp4 with its index at the end cannot be read from a pipe")
            }
            return MediaError(.corrupt, input: input, detail: "it looks like \(formatName), but is damaged: \(words)")
        }
    }
}
