import Media
import NodeKit
import StreamLog
import Wire
import ZeroMQTransport

/// Media types to and from the wire.
extension Adreact_V1_TrackParameters {
    init(_ track: TrackParameters) {
        self = .with {
            $0.kind = track.kind.rawValue
            $0.codec = track.codecName
            $0.extradata = .init(track.extradata)
            $0.codecTag = track.codecTag
            $0.profile = Int32(clamping: track.profile)
            $0.level = Int32(clamping: track.level)
            $0.bitRate = track.bitRate
            $0.bitsPerCodedSample = UInt32(clamping: track.bitsPerCodedSample)
            $0.sampleRateHz = UInt32(clamping: track.sampleRateHz)
            $0.channelCount = UInt32(clamping: track.channelCount)
            $0.channelMask = track.channelLayoutMask
            $0.sampleFormat = track.sampleFormatName
            $0.frameSizeSamples = UInt32(clamping: track.frameSizeSamples)
            $0.blockAlignBytes = UInt32(clamping: track.blockAlign)
            $0.initialPaddingSamples = UInt32(clamping: track.initialPaddingSamples)
            $0.seekPrerollSamples = UInt32(clamping: track.seekPrerollSamples)
            $0.width = UInt32(clamping: track.width)
            $0.height = UInt32(clamping: track.height)
            $0.pixelFormat = track.pixelFormatName
            $0.rotationDegrees = UInt32(clamping: track.rotationDegrees)
            $0.pixelAspectRatio = track.pixelAspectRatio
            $0.averageFrameRate = track.averageFrameRate
            $0.reorderDelayFrames = UInt32(clamping: track.reorderDelayFrames)
            $0.timesAreDecodingTimes = track.timesAreDecodingTimes
            $0.colourMatrix = track.colourMatrixName
            $0.colourRange = track.colourRangeName
        }
    }

    /// - Throws: `WireError` for a kind of track that this program does not know.
    func parameters() throws(WireError) -> TrackParameters {
        guard let kind = TrackKind(rawValue: kind) else { throw .malformed("a track of kind '\(kind)'") }
        var track = TrackParameters(kind: kind, codecName: codec)
        track.extradata = [UInt8](extradata)
        track.codecTag = codecTag
        track.profile = Int(profile)
        track.level = Int(level)
        track.bitRate = bitRate
        track.bitsPerCodedSample = Int(bitsPerCodedSample)
        track.sampleRateHz = Int(sampleRateHz)
        track.channelCount = Int(channelCount)
        track.channelLayoutMask = channelMask
        track.sampleFormatName = sampleFormat
        track.frameSizeSamples = Int(frameSizeSamples)
        track.blockAlign = Int(blockAlignBytes)
        track.initialPaddingSamples = Int(initialPaddingSamples)
        track.seekPrerollSamples = Int(seekPrerollSamples)
        track.width = Int(width)
        track.height = Int(height)
        track.pixelFormatName = pixelFormat
        track.rotationDegrees = Int(rotationDegrees)
        if (0.25...4).contains(pixelAspectRatio) { track.pixelAspectRatio = pixelAspectRatio }
        track.averageFrameRate = averageFrameRate
        track.reorderDelayFrames = Int(reorderDelayFrames)
        track.timesAreDecodingTimes = timesAreDecodingTimes
        track.colourMatrixName = colourMatrix
        track.colourRangeName = colourRange
        return track
    }
}

extension EncodedPacket {
    func message(_ log: LogID, sequence: UInt64, isContext: Bool, publishedAt publishUnixNanoseconds: Int64) -> WireMessage {
        var envelope = Envelope(.data, log, sequence: sequence)
        envelope.mediaStartNanoseconds = ptsNanoseconds
        envelope.mediaDurationNanoseconds = durationNanoseconds
        envelope.captureUnixNanoseconds = captureUnixNanoseconds
        envelope.publishUnixNanoseconds = publishUnixNanoseconds
        var flags = Adreact_V1_PacketFlag.none.rawValue
        if isKeyframe { flags |= Adreact_V1_PacketFlag.keyframe.rawValue }
        if isContext { flags |= Adreact_V1_PacketFlag.context.rawValue }
        if isLeading { flags |= Adreact_V1_PacketFlag.leading.rawValue }
        if isHidden { flags |= Adreact_V1_PacketFlag.hidden.rawValue }
        envelope.flags = UInt32(flags)
        envelope.skipSamplesAtStart = UInt32(clamping: skipSamplesAtStart)
        envelope.skipSamplesAtEnd = UInt32(clamping: skipSamplesAtEnd)
        return WireMessage(envelope, body: payload)
    }

    /// A packet off the wire. Its index counts within the log; context belongs to the neighbouring segment.
    init(_ message: WireMessage, track: TrackKind) {
        let envelope = message.envelope
        let has = { (flag: Adreact_V1_PacketFlag) in envelope.flags & UInt32(flag.rawValue) != 0 }
        var segment = envelope.segment
        if has(.context) {
            if track == .video { segment &+= 1 } else { segment = segment == 0 ? 0 : segment - 1 }
        }
        self.init(
            track: track, index: envelope.sequence, ptsNanoseconds: envelope.mediaStartNanoseconds,
            durationNanoseconds: envelope.mediaDurationNanoseconds, isKeyframe: has(.keyframe), segment: segment,
            isLeading: has(.leading), isHidden: has(.hidden), skipSamplesAtStart: Int(envelope.skipSamplesAtStart),
            skipSamplesAtEnd: Int(envelope.skipSamplesAtEnd), payload: message.body)
    }
}
