import Fuzzing
import SwiftProtobuf
import Testing
import Wire

@Suite struct WireFuzzTests {
    private static let bodies: [any SwiftProtobuf.Message.Type] = [
        Adreact_V1_Info.self, Adreact_V1_Gap.self, Adreact_V1_End.self, Adreact_V1_Hello.self, Adreact_V1_Heartbeat.self,
        Adreact_V1_Subscribe.self, Adreact_V1_Credit.self, Adreact_V1_Acknowledge.self, Adreact_V1_VoiceWindow.self,
        Adreact_V1_FaceFrame.self, Adreact_V1_PulseClip.self, Adreact_V1_TimelineWindow.self, Adreact_V1_TimelineSecond.self,
    ]

    /// Whatever the bytes, they are read or refused, and what is read is within the limits.
    @Test func anyFramesAreReadOrRefused() {
        let before = FuzzRun.memoryMegabytes().now
        var read = 0, refused = 0, bodiesRead = 0
        let wrong = FuzzRun("wire").run { random in
            let one = random.message(), other = random.message()
            let frames = [one.envelopeBytes, one.body].map { random.chance(0.5) ? $0 : random.damaged($0, with: other.envelopeBytes) }
            guard let message = try? WireMessage(frames: frames) else {
                refused += 1
                return nil
            }
            read += 1
            let envelope = message.envelope
            if envelope.version != WireMessage.protocolVersion { return "version \(envelope.version) was read" }
            if max(envelope.session.utf8.count, envelope.track.utf8.count) > WireMessage.maximumNameBytes { return "a long name was read" }
            if envelope.mediaStartNanoseconds.addingReportingOverflow(envelope.mediaDurationNanoseconds).overflow { return "times that overflow were read" }
            for type in Self.bodies where (try? message.decode(type)) != nil { bodiesRead += 1 }
            return nil
        }
        #expect(wrong == nil)
        #expect(min(read, refused, bodiesRead) > 1000, "\(read) read, \(refused) refused, \(bodiesRead) bodies read: too few to test anything")
        #expect(FuzzRun.memoryMegabytes().now - before < 500, "memory grew from \(before) to \(FuzzRun.memoryMegabytes().now) MB")
    }
}
