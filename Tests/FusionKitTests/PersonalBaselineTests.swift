import Foundation
import Fusion
import FusionKit
import NodeKit
import StreamLog
import SwiftProtobuf
import Testing
import Wire

/// A session of speech alone, by a network with a personal baseline: nine windows, each with half a second that is new.
private func spokenEvidence() -> [WireMessage] {
    func message(_ kind: BodyKind, _ track: String, _ sequence: UInt64, _ start: Int64 = 0, _ body: any Message) -> WireMessage {
        var envelope = Envelope(kind, LogID(session: "s", track: track), sequence: sequence)
        envelope.mediaStartNanoseconds = start
        if kind == .data { envelope.mediaDurationNanoseconds = 500_000_000 }
        return WireMessage(envelope, body: body)
    }
    let info = Adreact_V1_Info.with { $0.session.id = "s" }
    var all = ["voice", "face", "pulse"].map { message(.info, $0, 0, 0, info) }
    for number in 0..<9 {
        let start = Int64(number) * 500_000_000
        let relative = [Float(number % 4), Float(number % 3), Float(number % 2)]
        var window = Adreact_V1_VoiceWindow()
        window.startNanoseconds = start
        window.endNanoseconds = start + 3_000_000_000
        window.speech.startNanoseconds = start
        window.speech.endNanoseconds = start + 3_000_000_000
        window.speech.logits = [1, 0.5, 0]
        window.speech.relativeLogits = relative
        window.speech.baseline.populationMeanRelativeLogits = [0.1, 0.2, 0.3]
        window.speech.baseline.bias = [0, 0.5, 0]
        window.speech.baseline.shrinkageWindows = 2
        window.speech.baseline.mixingWindows = 1
        all.append(message(.data, "voice", UInt64(number), start, window))
    }
    all.append(message(.end, "voice", 9, 0, Adreact_V1_End.with { $0.endNanoseconds = 7_000_000_000; $0.last = true }))
    for track in ["face", "pulse"] { all.append(message(.end, track, 0, 0, Adreact_V1_End.with { $0.last = true })) }
    return all
}

@Suite struct PersonalBaselineOnTheWireTests {
    private func timeline(_ messages: [WireMessage], settings: FusionSettings = .init()) throws -> [Adreact_V1_TimelineWindow] {
        var fusion = SessionFusion(name: "s", instance: "test", settings: settings)
        var windows: [Adreact_V1_TimelineWindow] = []
        for message in messages {
            for said in try fusion.receive(message) where said.envelope.kind == .data && said.envelope.track == "emotion" {
                windows.append(try said.decode(Adreact_V1_TimelineWindow.self))
            }
        }
        return windows
    }

    @Test func itReachesTheTimelineWithHowMuchWasHeard() throws {
        let windows = try timeline(spokenEvidence())
        #expect(windows.count > 1, "what is usual is taken off, or all windows would be positive")
        // 3 s, and eight times half a second of 3 s.
        let heard: Double = windows.last?.voice.baselineWindows ?? 0
        #expect(abs(heard - 14.0 / 6) < 1e-9)
        #expect(windows.allSatisfy { $0.voice.hasBaselineWindows })
    }

    /// The node is killed after any message, and its successor begins with the journal.
    @Test(arguments: 0..<spokenEvidence().count) func aRestartChangesNoByte(after count: Int) throws {
        let messages = spokenEvidence()
        let journal = try EvidenceJournal(path: nil)
        try journal.store(messages[..<count].map { ($0, $0.envelope.sequence + 1) })
        var again: [WireMessage] = []
        try journal.forEachEvidence { again.append($0) }
        again.append(contentsOf: messages[count...])
        #expect(try timeline(again) == timeline(messages))
    }

    /// After a restart of the audio node windows come twice.
    @Test func whatComesTwiceCountsOnce() throws {
        let messages = spokenEvidence()
        var twice = Array(messages[..<8])
        twice.append(contentsOf: messages[3...])
        #expect(try timeline(twice) == timeline(messages))
    }

    @Test func theSwitchTurnsItOff() throws {
        let windows = try timeline(spokenEvidence(), settings: FusionSettings(usesPersonalBaseline: false))
        #expect(windows.map(\.label) == ["positive"])
        #expect(windows.allSatisfy { !$0.voice.hasBaselineWindows })
    }
}
