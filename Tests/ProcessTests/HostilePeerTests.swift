import Foundation
import Fusion
import Fuzzing
import Logging
import NodeKit
import Testing
import Wire
import ZeroMQTransport

/// Strangers at all three endpoints, that send damaged, senseless and random messages, and bytes that are not even ZeroMQ.
@Suite(.serialized) struct HostilePeerProcessTests {
    /// Of demuxer and fusion-node, in MB, with strangers.
    private static let memoryLimitMegabytes = 500

    @Test(.enabled(if: Programs.hasClips, "the shared clips are not here"))
    func aPipelineUnderAttackServesOn() throws {
        let clip = Programs.clips + "/talker-1.mp4"
        let expected = try Undisturbed.results(of: clip)
        let pipeline = try PipelineTests.Pipeline(demuxing: ["--session", "talker-1", clip])
        let endpoints = ["media", "evidence", "timeline"].map { "ipc://\(pipeline.folder.path)/\($0)" }
        let run = FuzzRun("pipeline")
        let reader = try TimelineReader(
            endpoint: endpoints[2], group: nil, fromStart: true, wantsOpenWindows: false, instance: "honest", logger: Logger(label: "honest"))
        defer { reader.stop() }

        var strangers = try (0..<3).map { try Stranger(endpoints, seed: run.seed &+ UInt64($0)) }
        var rounds = 0
        let wrong = run.run { random in
            rounds += 1
            for stranger in strangers { stranger.attack() }
            if random.chance(0.02) { Self.sendRawBytes(to: String(endpoints[random.below(3)].dropFirst(6)), random.bytes(random.below(300))) }
            // Strangers come and go.
            if random.chance(0.01) {
                strangers.removeFirst().stop()
                guard let next = try? Stranger(endpoints, seed: random.next()) else { return "no more sockets" }
                strangers.append(next)
            }
            usleep(10_000)
            return pipeline.programs.first { !$0.process.isRunning }.map { "\($0.process.executableURL?.lastPathComponent ?? "") ended: \($0.standardError)" }
        }
        for stranger in strangers { stranger.stop() }
        #expect(wrong == nil)
        #expect(rounds > 20)

        // The honest session is as if nobody had been there. Strangers' sessions may be in the timeline too.
        var timelines = SessionTimelines()
        var found: SessionTimeline?
        let deadline = DispatchWorkItem { reader.stop() }
        DispatchQueue.global().asyncAfter(deadline: .now() + 120, execute: deadline)
        defer { deadline.cancel() }
        reader.forEach { message in
            guard let timeline = timelines.receive(message) else { return true }
            if timeline.info.name == "talker-1" { found = timeline }
            return found == nil
        }
        let timeline = try #require(found?.timeline, "the honest session did not end, seed \(run.seed)")
        #expect(Data(TimelineJSON.lines(timeline).utf8) == expected.timeline, "seed \(run.seed)")
        #expect(Data(TimelineCSV.lines(timeline).utf8) == expected.seconds, "seed \(run.seed)")
        for program in [pipeline.programs.first, pipeline.programs.last].compactMap(\.self) {
            let name = program.process.executableURL?.lastPathComponent ?? ""
            let peak = FuzzRun.memoryMegabytes(of: "\(program.process.processIdentifier)").peak
            run.say("\(name) took \(peak) MB at most, and said: \(program.standardError.split(separator: "\n").suffix(2))")
            #expect(peak < Self.memoryLimitMegabytes, "\(name), seed \(run.seed)")
            #expect(program.process.isRunning, "\(name), seed \(run.seed)")
        }
    }

    private static func sendRawBytes(to path: String, _ bytes: [UInt8]) {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8).prefix(107)) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let connected = withUnsafePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) } }
        if connected == 0 { _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }
    }
}

/// A DEALER at each endpoint, that says anything.
private final class Stranger: @unchecked Sendable {
    private let loop: SocketLoop
    private let peers: [Peer]
    private var random: FuzzRandom

    init(_ endpoints: [String], seed: UInt64) throws {
        let loop = try SocketLoop()
        self.loop = loop
        peers = try endpoints.map { try loop.connect($0) { _, _ in } }
        random = FuzzRandom(seed: seed)
        loop.start()
    }

    func attack() {
        loop.post { [self] in
            for peer in peers {
                for _ in 0..<10 { loop.send(frames(), to: peer) }
            }
        }
    }

    func stop() { loop.stop() }

    private func frames() -> [[UInt8]] {
        // Well-formed messages of nodes are believed: strangers do not pretend to be one of theirs.
        let message = random.message(sessions: ["a", "b", "c"], groups: ["g", "h"])
        return switch random.below(10) {
        case 0: (0..<random.below(5)).map { _ in random.bytes(random.below(100)) }
        case 1: [message.envelopeBytes]
        case 2: [message.envelopeBytes, message.body, message.body, [], []]
        case 3...5: [random.damaged(message.envelopeBytes, with: message.body), message.body]
        case 6: [message.envelopeBytes, random.bytes(70_000)]
        default: [message.envelopeBytes, message.body]
        }
    }
}
