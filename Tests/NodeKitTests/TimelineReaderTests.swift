import Foundation
import Logging
import NodeKit
import StreamLog
import Testing
import Wire
import ZeroMQTransport

/// A reader of the timeline, and a publisher between real sockets.
@Suite struct TimelineReaderTests {
    /// What is remembered of open sessions is limited to 1,000: those that are over must not count.
    @Test func aReaderHearsMoreSessionsThanItCanRemember() throws {
        let sessions = 1_100
        let folder = NSTemporaryDirectory() + "/adreact-reader-\(UInt64.random(in: .min ... .max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let loop = try SocketLoop()
        let timeline = try PublishingEnd(loop, endpoint: "ipc://\(folder)/timeline", binds: true, instance: "fusion-node", settings: .init()) { _ in }
        for session in 0..<sessions {
            for track in TimelineTrack.all {
                let log = LogID(session: "s\(session)", track: track)
                timeline.open(log, info: WireMessage(Envelope(.info, log), body: Adreact_V1_Info.with { $0.session.id = log.session }))
                timeline.close(log, end: WireMessage(Envelope(.end, log), body: Adreact_V1_End.with { $0.last = true }))
            }
        }
        loop.start()
        defer { loop.stop() }
        let reader = try TimelineReader(
            endpoint: "ipc://\(folder)/timeline", group: nil, fromStart: false, wantsOpenWindows: false, instance: "r", logger: Logger(label: "test"))
        DispatchQueue.global().asyncAfter(deadline: .now() + 120) { reader.stop() }  // else a deaf reader would hang here
        var ended: Set<String> = []
        reader.forEach { message in
            if case .ended(let session, _, _) = message { ended.insert(session) }
            return ended.count < sessions
        }
        #expect(ended.count == sessions)
        reader.stop()
    }
}
