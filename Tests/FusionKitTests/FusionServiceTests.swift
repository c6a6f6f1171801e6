import Foundation
import FusionKit
import NodeKit
import StreamLog
import SwiftProtobuf
import Testing
import Wire
import ZeroMQTransport

/// One session as the three nodes would send it: some seconds of a face, nothing heard, no pulse.
func evidence(_ session: String, faceSeconds: Int64 = 1) -> [WireMessage] {
    func message(_ kind: BodyKind, _ track: String, _ sequence: UInt64, _ start: Int64 = 0, _ body: any Message) -> WireMessage {
        var envelope = Envelope(kind, LogID(session: session, track: track), sequence: sequence)
        envelope.mediaStartNanoseconds = start
        return WireMessage(envelope, body: body)
    }
    let info = Adreact_V1_Info.with { $0.session.id = session }
    var all: [WireMessage] = []
    for track in ["voice", "face", "pulse"] { all.append(message(.info, track, 0, 0, info)) }
    for frame in 0..<10 * faceSeconds {
        all.append(message(.data, "face", UInt64(frame), frame * 100_000_000, Adreact_V1_FaceFrame.with {
            $0.ptsNanoseconds = frame * 100_000_000
            $0.durationNanoseconds = 100_000_000
            $0.faceCount = 1
            $0.face.logits = [2, 0, 0]
        }))
    }
    all.append(message(.end, "face", UInt64(10 * faceSeconds), 0, Adreact_V1_End.with {
        $0.endNanoseconds = faceSeconds * 1_000_000_000
        $0.last = true
    }))
    for track in ["voice", "pulse"] { all.append(message(.end, track, 0, 0, Adreact_V1_End.with { $0.last = true })) }
    return all
}

@Suite struct SessionFusionTests {
    /// The order in which the lanes' messages arrive, each lane in its own order.
    @Test(arguments: 0..<200) func theTimelineDoesNotDependOnTheOrderOfArrival(seed: Int) throws {
        func timeline(_ messages: [WireMessage]) throws -> [[UInt8]] {
            var fusion = SessionFusion(name: "s", instance: "test", settings: .init())
            // Logs may interleave, but each has one order.
            return try messages.flatMap { try fusion.receive($0) }.sorted { ($0.envelope.track, $0.envelope.sequence) < ($1.envelope.track, $1.envelope.sequence) }
                .filter { $0.envelope.kind == .data }.map(\.body)
        }
        var lanes = Dictionary(grouping: evidence("s"), by: \.envelope.track)
        var state = UInt64(seed)
        var shuffled: [WireMessage] = []
        while let lane = lanes.keys.sorted().filter({ lanes[$0]?.isEmpty == false }).randomElement(seededBy: &state) {
            shuffled.append(lanes[lane, default: []].removeFirst())
        }
        #expect(try timeline(shuffled) == timeline(evidence("s")))
        #expect(try timeline(shuffled).count == 2, "one face window, one second")
    }
}

@Suite struct SilenceTests {
    /// A live session of which 20 s of voice have been examined, and nothing of the face.
    private func session(live: Bool) throws -> SessionFusion {
        var fusion = SessionFusion(name: "s", instance: "test", settings: .init())
        let info = Adreact_V1_Info.with {
            $0.session.id = "s"
            $0.session.live = live
        }
        for track in ["voice", "face", "pulse"] {
            _ = try fusion.receive(WireMessage(Envelope(.info, LogID(session: "s", track: track)), body: info))
        }
        for number in 0..<40 as Range<UInt64> {
            var envelope = Envelope(.data, LogID(session: "s", track: "voice"), sequence: number)
            envelope.mediaStartNanoseconds = Int64(number) * 500_000_000
            envelope.mediaDurationNanoseconds = 500_000_000
            _ = try fusion.receive(WireMessage(envelope, body: Adreact_V1_VoiceWindow()))
        }
        return fusion
    }

    private let voice = WireMessage(Envelope(.data, LogID(session: "s", track: "voice")), body: [])

    @Test func aLaneOfALiveSessionThatFallsSilentIsMarkedMissing() throws {
        var fusion = try session(live: true)
        #expect(fusion.silentLanes(now: 0, idleSeconds: 5, abandonSeconds: 300).isEmpty)
        fusion.hear(voice, now: 5.5)
        let losses = fusion.silentLanes(now: 6, idleSeconds: 5, abandonSeconds: 300)
        #expect(losses.map(\.envelope.track).sorted() == ["face", "pulse"])
        #expect(losses.allSatisfy { $0.envelope.mediaDurationNanoseconds == 20_000_000_000 })
        let rows = try losses.flatMap { try fusion.receive($0) }.filter { $0.envelope.track == "seconds" }
        #expect(!rows.isEmpty)
        for row in rows { #expect(Set(try row.decode(Adreact_V1_TimelineSecond.self).missing).isSuperset(of: ["face", "pulse"])) }
    }

    @Test func aLiveSessionThatIsHeardOfNoMoreEnds() throws {
        var fusion = try session(live: true)
        _ = fusion.silentLanes(now: 0, idleSeconds: 5, abandonSeconds: 300)
        let ends = fusion.silentLanes(now: 301, idleSeconds: 5, abandonSeconds: 300)
        #expect(ends.count == 3 && ends.allSatisfy { $0.envelope.kind == .end })
        for end in ends { _ = try fusion.receive(end) }
        #expect(fusion.isOver)
    }

    @Test func aRecordingWaitsForEver() throws {
        var fusion = try session(live: false)
        _ = fusion.silentLanes(now: 0, idleSeconds: 5, abandonSeconds: 300)
        #expect(fusion.silentLanes(now: 1e6, idleSeconds: 5, abandonSeconds: 300).isEmpty)
    }
}

extension Array {
    fileprivate func randomElement(seededBy state: inout UInt64) -> Element? {
        guard !isEmpty else { return nil }
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return self[Int(state >> 33) % count]
    }
}
