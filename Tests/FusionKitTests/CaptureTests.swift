import FusionKit
import NodeKit
import StreamLog
import SwiftProtobuf
import Testing
import Wire

/// Wall-clock times travel with what is made of the media, and decide nothing.
@Suite struct CaptureTests {
    private static let second: Int64 = 1_000_000_000
    private static let captureOfZero: Int64 = 1_700_000_000 * second

    /// A live session of `seconds`: a face at 10 frames a second that changes its mind every two seconds; nothing else.
    /// Captured as it happens, and 80 ms later.
    private func session(seconds: Int64, live: Bool) -> [WireMessage] {
        func message(_ kind: BodyKind, _ track: String, _ sequence: UInt64, _ start: Int64, capture: Int64, _ body: any Message) -> WireMessage {
            var envelope = Envelope(kind, LogID(session: "s", track: track), sequence: sequence)
            envelope.mediaStartNanoseconds = start
            if live { envelope.captureUnixNanoseconds = Self.captureOfZero + capture + 80_000_000 }
            return WireMessage(envelope, body: body)
        }
        let info = Adreact_V1_Info.with { $0.session.id = "s"; $0.session.live = live }
        var all = ["voice", "face", "pulse"].map { message(.info, $0, 0, 0, capture: 0, info) }
        for track in ["voice", "pulse"] { all.append(message(.end, track, 0, 0, capture: 0, Adreact_V1_End.with { $0.last = true })) }
        for frame in 0..<seconds * 10 {
            let pts = frame * 100_000_000
            all.append(message(.data, "face", UInt64(frame), pts, capture: pts, Adreact_V1_FaceFrame.with {
                $0.ptsNanoseconds = pts
                $0.durationNanoseconds = 100_000_000
                $0.faceCount = 1
                $0.face.logits = frame / 20 % 2 == 0 ? [3, 0, 0] : [0, 0, 3]
            }))
        }
        let end = seconds * Self.second
        all.append(message(.end, "face", UInt64(seconds * 10), 0, capture: end, Adreact_V1_End.with { $0.endNanoseconds = end; $0.last = true }))
        return all
    }

    private func timeline(_ messages: [WireMessage]) throws -> [WireMessage] {
        var fusion = SessionFusion(name: "s", instance: "test", settings: .init())
        return try messages.flatMap { try fusion.receive($0) }.filter { $0.envelope.kind == .data }
    }

    @Test func aWindowCarriesTheCaptureOfTheMediaAtItsEnd() throws {
        let windows = try timeline(session(seconds: 10, live: true)).filter { $0.envelope.track == TimelineTrack.emotion }
        #expect(windows.count == 5)
        for window in windows {
            let body = try window.decode(Adreact_V1_TimelineWindow.self)
            let late = window.envelope.captureUnixNanoseconds - Self.captureOfZero - body.endNanoseconds
            // Frames are 0.1 s apart, and the last one is seen until the session ends.
            #expect(late <= 80_000_000 && late >= -20_000_000, "\(late) ns at \(body.endNanoseconds)")
        }
    }

    @Test func timesOfDayChangeNothingOfTheTimeline() throws {
        let live = try timeline(session(seconds: 10, live: true)), recorded = try timeline(session(seconds: 10, live: false))
        #expect(live.map(\.body) == recorded.map(\.body))
        #expect(recorded.allSatisfy { $0.envelope.captureUnixNanoseconds == 0 })
    }
}
