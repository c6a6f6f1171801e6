import CFFmpeg

/// How many samples a packet of sound decodes to, without decoding it.
final class SampleCounter {
    private let parameters: UnsafeMutablePointer<AVCodecParameters>
    private let timesAreExact: Bool
    private var vorbis: OpaquePointer?

    init(_ stream: UnsafeMutablePointer<AVStream>) {
        parameters = stream.pointee.codecpar
        let unit = stream.pointee.time_base
        timesAreExact = unit.num == 1 && parameters.pointee.sample_rate > 0 && unit.den % parameters.pointee.sample_rate == 0
        if parameters.pointee.codec_id == AV_CODEC_ID_VORBIS, let extradata = parameters.pointee.extradata {
            vorbis = av_vorbis_parse_init(extradata, parameters.pointee.extradata_size)
        }
    }

    deinit { av_vorbis_parse_free(&vorbis) }

    /// `nil` if it is not known to the sample, as of a codec with blocks of varying length in a container that rounds
    /// its times.
    func count(_ packet: UnsafeMutablePointer<AVPacket>, statedNanoseconds: Int64?) -> Int? {
        let rate = Int64(parameters.pointee.sample_rate)
        let byCodec = countByCodec(packet)
        guard let statedNanoseconds else { return byCodec }
        let byContainer = av_rescale(statedNanoseconds, rate, 1_000_000_000)
        // No packet of sound lasts longer; FFmpeg gives the lowest number where the product is too large.
        let longestSeconds: Int64 = 3600
        guard (0...longestSeconds * rate).contains(byContainer) else { return byCodec }
        // The codec knows to the sample; the container may round, but also knows of shorter packets.
        let rounding = max(rate / 500, 1)
        if let byCodec, abs(Int64(byCodec) - byContainer) <= rounding { return byCodec }
        return timesAreExact ? Int(byContainer) : nil
    }

    private func countByCodec(_ packet: UnsafeMutablePointer<AVPacket>) -> Int? {
        if vorbis != nil {
            let samples = av_vorbis_parse_frame(vorbis, packet.pointee.data, packet.pointee.size)
            return samples > 0 ? Int(samples) : nil
        }
        if parameters.pointee.codec_id == AV_CODEC_ID_FLAC { return flacBlockSamples }
        let samples = av_get_audio_frame_duration2(parameters, packet.pointee.size)
        return samples > 0 ? Int(samples) : nil
    }

    /// FLAC's STREAMINFO opens with the smallest and the largest block: equal in a stream of fixed blocks.
    private var flacBlockSamples: Int? {
        guard let bytes = parameters.pointee.extradata, parameters.pointee.extradata_size >= 4 else { return nil }
        let smallest = Int(bytes[0]) << 8 | Int(bytes[1]), largest = Int(bytes[2]) << 8 | Int(bytes[3])
        return smallest == largest && smallest > 0 ? smallest : nil
    }
}
