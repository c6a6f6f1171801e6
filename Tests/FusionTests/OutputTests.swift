import Foundation
import Fusion
import Testing

/// The written forms of a timeline, against files that were checked by eye. To renew them after a wanted change, run
/// the tests with `ADREACT_WRITE_GOLDEN` set to the folder, and read the difference.
@Suite struct OutputTests {
    /// A face alone, speech over it, speech alone, nothing, and a pulse that is partly unknown and once against the emotion.
    static let session = Marbles(
        voice: ["+ 2-5", "+ 2.5-5.5", "- 3-6", "- 6.5-8.25"],
        frames: "----------------ooooo++++++++++++++++++++++..........++++", pulse: "oo---.-", pulseQuality: 0.75, endSeconds: 12.34)

    static func timeline(named name: String = "viewer \"A\", take 1") throws -> Timeline {
        var fusion = FusionState(session: name, settings: FusionSettings(faceWeight: 0.45))
        for evidence in session.voiceEvidence { try fusion.add(evidence) }
        for evidence in session.faceEvidence { try fusion.add(evidence) }
        for evidence in session.pulseEvidence { try fusion.add(evidence) }
        var events: [TimelineEvent] = []
        for lane in Lane.allCases {
            events += try fusion.cover(lane, startNanoseconds: 0, endNanoseconds: nanoseconds(9))
            events += try fusion.neverCover(
                lane, startNanoseconds: nanoseconds(9), endNanoseconds: nanoseconds(10), reason: .gap)
            events += try fusion.cover(lane, startNanoseconds: nanoseconds(10), endNanoseconds: nanoseconds(12.34))
        }
        return Timeline(session: name, events: events + (try fusion.endSession(endNanoseconds: nanoseconds(12.34))))
    }

    @Test func `windows as JSON Lines`() throws {
        try expect(TimelineJSON.lines(try Self.timeline()), isGolden: "timeline.jsonl")
    }

    @Test func `seconds as CSV`() throws {
        try expect(TimelineCSV.lines(try Self.timeline()), isGolden: "seconds.csv")
    }

    @Test func `text without colour`() throws {
        try expect(TimelineText.render(try Self.timeline(), options: .init(columns: 72)), isGolden: "timeline.txt")
    }

    @Test func `text in colour`() throws {
        let options = TimelineText.Options(columns: 72, usesColour: true)
        try expect(TimelineText.render(try Self.timeline(), options: options), isGolden: "timeline-colour.txt")
    }

    @Test func `a picture`() throws {
        try expect(TimelineSVG.render(try Self.timeline()), isGolden: "timeline.svg")
    }

    @Test func `the text of an empty timeline says so`() throws {
        var fusion = FusionState(session: "wall.mp4")
        var events = try fusion.endSession(endNanoseconds: nanoseconds(3))
        for lane in Lane.allCases {
            events += try fusion.endLane(lane, trackEndNanoseconds: nanoseconds(3), present: true)
            events += try fusion.cover(lane, startNanoseconds: 0, endNanoseconds: nanoseconds(3))
        }
        let timeline = Timeline(session: "wall.mp4", events: events)
        #expect(events.hasEnded)
        #expect(TimelineJSON.lines(timeline) == "")
        try expect(TimelineText.render(timeline), isGolden: "empty.txt")
    }

    @Test func `JSON can be read back, and keeps every character of a name`() throws {
        let name = "a\"b\\c\n\t\u{01}\u{7F}é\u{2028}😀/\r\n.mp4"
        for line in TimelineJSON.lines(try Self.timeline(named: name)).split(separator: "\n") {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            #expect(object?["session"] as? String == name)
            #expect(object?["startSeconds"] is Double)
            #expect((object?["probabilities"] as? [String: Double])?.count == 3)
        }
    }

    @Test(arguments: [
        ("plain", "plain"), ("a,b", "\"a,b\""), ("say \"hi\"", "\"say \"\"hi\"\"\""), ("a\r\nb", "\"a\r\nb\""),
        (" padded", "\" padded\""), ("", ""), ("\"\u{301}", "\"\"\"\u{301}\""),
    ])
    func `CSV fields are quoted where they must be`(name: String, field: String) {
        let row = SecondRow(
            session: name, second: 7, probabilities: nil, sources: [], faceShare: 0, viewerShare: nil, attention: 0.25, speechShare: 1, faceCount: nil,
            pulse: nil, missing: [.voice, .pulse])
        #expect(TimelineCSV.line(row) == "\(field),7,,,,,,0.0000,1.0000,,,,,,,,,voice+pulse,,,0.2500")
    }

    @Test func `no text line is wider than asked for, at any width`() throws {
        let timeline = try Self.timeline(named: "a very long name of a session 長い名前 that does not fit anywhere at all.mp4")
        for columns in 52...160 {
            for line in TimelineText.render(timeline, options: .init(columns: columns)).split(separator: "\n") {
                let width = line.map { $0.unicodeScalars.contains { $0.value >= 0x1100 } ? 2 : 1 }.reduce(0, +)
                #expect(width <= columns, "\(line)")
            }
        }
    }

    @Test func `names cannot steer the terminal or break the picture`() throws {
        let timeline = try Self.timeline(named: "\u{1B}[2J\u{202E}<script>&\u{0}")
        let text = TimelineText.render(timeline)
        #expect(!text.unicodeScalars.contains { $0 == "\u{1B}" || $0 == "\u{202E}" })
        let svg = TimelineSVG.render(timeline)
        #expect(!svg.contains("<script>") && !svg.unicodeScalars.contains("\u{0}") && svg.contains("&lt;script&gt;&amp;?"))
    }

    @Test func `the picture is well-formed XML at every width`() throws {
        for width in [0, 480, 961, 100_000] {
            let parser = XMLDocumentCheck(TimelineSVG.render(try Self.timeline(), width: width))
            #expect(parser.isWellFormed)
        }
    }

    @Test(arguments: [
        (0, "0.000"), (499_999, "0.000"), (500_000, "0.001"), (1_000_000_000, "1.000"), (59_999_500_000, "60.000"),
        (7_200_001_500_000, "7200.002"),
    ] as [(Int64, String)])
    func `times are rounded to the millisecond, half up`(start: Int64, text: String) throws {
        let window = TimelineWindow(
            session: "s", lane: .voice, index: 0, isFinal: true, revision: 0, startNanoseconds: start,
            endNanoseconds: start + 1_000_000_000, label: .neutral,
            probabilities: Probabilities(positive: 0.00005, neutral: 0.99994999, negative: -0.00001))
        let line = TimelineJSON.line(window)
        #expect(line.contains("\"startSeconds\":\(text),"))
        #expect(line.contains("{\"positive\":0.0001,\"neutral\":0.9999,\"negative\":0.0000}"))
    }

    @Test func `only provisional and amended windows say so`() throws {
        func line(isFinal: Bool, revision: UInt64) -> String {
            TimelineJSON.line(
                TimelineWindow(
                    session: "s", lane: .voice, index: 0, isFinal: isFinal, revision: revision, startNanoseconds: 0,
                    endNanoseconds: 1, label: .neutral, probabilities: Probabilities(positive: 0, neutral: 1, negative: 0)))
        }
        #expect(!line(isFinal: true, revision: 0).contains("final"))
        #expect(line(isFinal: true, revision: 2).hasSuffix("\"missing\":[],\"revision\":2}"))
        #expect(line(isFinal: false, revision: 7).hasSuffix("\"missing\":[],\"final\":false,\"revision\":7}"))
    }

    private func expect(_ text: String, isGolden name: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        if let folder = ProcessInfo.processInfo.environment["ADREACT_WRITE_GOLDEN"] {
            try Data(text.utf8).write(to: URL(fileURLWithPath: folder).appendingPathComponent(name))
        }
        let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden/\(name)")
        let expected = String(decoding: try Data(contentsOf: golden), as: UTF8.self)
        #expect(text == expected, sourceLocation: sourceLocation)
    }
}
