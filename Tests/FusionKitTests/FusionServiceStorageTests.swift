import Foundation
import FusionKit
import Logging
import NodeKit
import StreamLog
import Synchronization
import Testing
import Wire
import ZeroMQTransport

/// The whole service over real sockets: what it keeps, what it lets go, and what it does while it cannot store anything.
@Suite struct FusionServiceStorageTests {
    @Test func finishedTimelinesGoOldestFirstAndDoNotComeBack() throws {
        let world = try World()
        let clock = Mutex<Int64>(1000)
        var settings = world.settings
        settings.keepBytes = 1
        let wallClock = WallClock { clock.withLock { $0 } * 1_000_000_000 }
        do {
            let service = try world.start(settings, clock: wallClock)
            defer { service.stop() }
            try world.analyse("a")
            try world.analyse("b")
            #expect(try world.sessions(1) == ["b"], "the older timeline is still there")
            // Another node, with evidence that fusion has had: it must be rid of it, and open nothing.
            try world.send("a").waitUntilAcknowledged()
            try world.analyse("c")
            #expect(try world.sessions(1) == ["c"])
        }
        do {
            let service = try world.start(settings, clock: wallClock)
            defer { service.stop() }
            try world.send("a").waitUntilAcknowledged()
            #expect(try world.sessions(1) == ["c"], "after a restart it knows less than before")
        }
        // A month later the name is free again.
        clock.withLock { $0 += 31 * 86_400 }
        settings.keepBytes = 1 << 20
        let service = try world.start(settings, clock: wallClock)
        defer { service.stop() }
        try world.analyse("a")
        try world.analyse("d")
        #expect(try world.sessions(2) == ["a", "d"])
    }

    @Test func aNamedGroupResumesWhereItWasWhenTheServiceComesBack() throws {
        let world = try World()
        do {
            let service = try world.start(world.settings)
            defer { service.stop() }
            try world.analyse("a")
            #expect(try world.sessions(1, group: "g") == ["a"])
            #expect(try world.sessions(1) == ["a"])
        }
        let service = try world.start(world.settings)
        defer { service.stop() }
        try world.analyse("b")
        #expect(try world.sessions(1, group: "g") == ["b"], "the group was sent again what it had read")
        #expect(try world.sessions(2) == ["a", "b"])
    }

    @Test(.enabled(if: SmallDisk.canBeMade, "a small disk needs the right to mount"))
    func whileTheDiskIsFullEverythingWaitsAndNothingIsLost() throws {
        let disk = try SmallDisk(kilobytes: 6000)
        let world = try World(journal: disk.path + "/journal")
        let service = try world.start(world.settings)
        defer { service.stop() }
        try world.analyse("a")
        let filler = disk.path + "/filler"
        #expect(FileManager.default.createFile(atPath: filler, contents: nil))
        let file = try #require(FileHandle(forWritingAtPath: filler))
        for size in [4096, 1] { while (try? file.write(contentsOf: Data(count: size))) != nil {} }
        let node = try world.send("b", faceSeconds: 60)
        #expect(world.eventually { world.log.lines.contains { $0.contains("critical") } })
        // It tries every second: time for three more.
        #expect(!node.isAcknowledged(withinSeconds: 3.5), "acknowledged what is not stored")
        let complaints = world.log.lines.filter { $0.contains("critical") }
        #expect(complaints.count == 1, "\(complaints)")
        #expect(complaints.first?.contains("disk is full") == true && complaints.first?.contains(disk.path) == true, "\(complaints)")
        try file.close()
        try FileManager.default.removeItem(atPath: filler)
        try node.waitUntilAcknowledged()
        #expect(try world.sessions(2) == ["a", "b"])
        #expect(world.log.lines.contains { $0.contains("can be written again") })
    }
}

/// A service's surroundings: its files, its log, nodes that send evidence, readers of the timeline.
private final class World: @unchecked Sendable {
    let settings: FusionService.Settings
    let log = CollectedLog()
    private let folder: Folder
    private var nodes: [Node] = []

    init(journal: String? = nil) throws {
        folder = try Folder()
        settings = .init(
            evidenceEndpoint: "ipc://\(folder.path)/evidence", timelineEndpoint: "ipc://\(folder.path)/timeline",
            journalPath: journal ?? folder.path + "/journal")
    }

    deinit { for node in nodes { node.stop() } }

    func start(_ settings: FusionService.Settings, clock: WallClock = .system) throws -> FusionService {
        let log = log
        let service = try FusionService(
            settings, instance: "fusion-\(UInt32.random(in: .min ... .max))", logger: Logger(label: "test") { _ in log }, clock: clock)
        service.start()
        return service
    }

    /// Sends a session's evidence, as a node that starts now.
    func send(_ session: String, faceSeconds: Int64 = 1) throws -> Node {
        let node = try Node(settings.evidenceEndpoint, evidence(session, faceSeconds: faceSeconds))
        nodes.append(node)
        return node
    }

    /// Sends a session, and waits until its timeline has ended.
    func analyse(_ session: String) throws {
        let reader = try reader(group: nil)
        defer { reader.stop() }
        let node = try send(session)
        try node.waitUntilAcknowledged()
        reader.forEach { if case .ended(session, _, _) = $0 { false } else { true } }
    }

    /// The next sessions that a reader sees end, in order of their names.
    func sessions(_ count: Int, group: String? = nil) throws -> [String] {
        let reader = try reader(group: group)
        defer { reader.stop() }
        var names: [String] = []
        reader.forEach { message in
            if case .ended(let session, _, _) = message { names.append(session) }
            return names.count < count
        }
        return names.sorted()
    }

    private func reader(group: String?) throws -> TimelineReader {
        try TimelineReader(
            endpoint: settings.timelineEndpoint, group: group, fromStart: false, wantsOpenWindows: false,
            instance: "reader-\(UInt32.random(in: .min ... .max))", logger: Logger(label: "reader"))
    }

    func eventually(_ condition: () -> Bool) -> Bool {
        let deadline = Date(timeIntervalSinceNow: 60)
        while !condition() {
            guard Date() < deadline else { return false }
            usleep(10_000)
        }
        return true
    }

    final class Node: @unchecked Sendable {
        private let loop: SocketLoop
        private let end: PublishingEnd
        private let done = Atomic(false)

        init(_ endpoint: String, _ messages: [WireMessage]) throws {
            loop = try SocketLoop()
            end = try PublishingEnd(
                loop, endpoint: endpoint, binds: false, instance: "node-\(UInt32.random(in: .min ... .max))",
                settings: .init(requiredGroups: ["voice": ["fusion-node"], "face": ["fusion-node"], "pulse": ["fusion-node"]]), rejected: { _ in })
            for message in messages {
                switch message.envelope.kind {
                case .info: end.open(message.envelope.log, info: message)
                case .end: end.close(message.envelope.log, end: message)
                default: end.append(message.envelope.log, sequence: message.envelope.sequence, message)
                }
            }
            loop.start()
        }

        func isAcknowledged(withinSeconds seconds: Double) -> Bool {
            let deadline = Date(timeIntervalSinceNow: seconds)
            while Date() < deadline {
                let answered = DispatchSemaphore(value: 0)
                loop.post { [self] in
                    done.store(end.isDone, ordering: .relaxed)
                    answered.signal()
                }
                answered.wait()
                if done.load(ordering: .relaxed) { return true }
                usleep(20_000)
            }
            return false
        }

        func waitUntilAcknowledged() throws { try #require(isAcknowledged(withinSeconds: 60), "fusion does not acknowledge") }

        func stop() { loop.stop() }
    }
}

/// A log that a test reads: "level message".
private final class CollectedLog: LogHandler, @unchecked Sendable {
    private let all = Mutex<[String]>([])
    var lines: [String] { all.withLock { $0 } }
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { all.withLock { $0.append("\(event.level) \(event.message)") } }
}
