import ArgumentParser
import CAVDevice
import Foundation
import Logging
import MediaKit
import NodeKit

@main
struct Demuxer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demuxer",
        abstract: "Read recordings, streams and cameras; publish their compressed packets.",
        discussion: "Without INPUT it only serves. A session is named after its input and a mark of its content, or by --session.")

    @Argument(help: "Files, URLs, cameras (/dev/video0), or - for standard input.")
    var inputs: [String] = []
    @Option(help: "Files read at once. Whatever cannot wait (cameras, streams, pipes) is read at once in any case.")
    var jobs = 2
    @Option(help: "Viewer, as it shall travel with the sessions.")
    var viewer = ""
    @Option(help: "Advert, as it shall travel with the sessions.")
    var advert = ""
    @Option(help: "The viewer's consent, in your words; it travels with the sessions.")
    var consent = ""
    @Option(help: "Name of the first, second ... input's session.")
    var session: [String] = []
    @Flag(help: .hidden)  // of `adreact analyze`, which waits for sessions of these very names
    var keepSessionNames = false
    @Flag(help: "Play recordings at their own pace, as if they were live: nothing waits for a slow reader.")
    var realtime = false
    @Option(help: "How long a live source that was lost is looked for, in seconds.")
    var reconnectSeconds = 60.0
    @Flag(help: "End when everything has been read and every node has done with it.")
    var exitAfterDrain = false
    @OptionGroup var options: NodeOptions

    func validate() throws {
        guard (1...64).contains(jobs) else { throw ValidationError("--jobs must be 1 to 64.") }
        guard (0...1e6).contains(reconnectSeconds) else { throw ValidationError("--reconnect-seconds must be 0 to 1000000.") }
        guard session.isEmpty || session.count == inputs.count, Set(session).count == session.count else {
            throw ValidationError("--session names every input, each with a name of its own, or none.")
        }
        for name in session where !(1...SessionName.longestBytes).contains(name.utf8.count) {
            throw ValidationError("--session must have 1 to \(SessionName.longestBytes) bytes, not \(name.utf8.count).")
        }
    }

    func run() async throws {
        let logger = options.logger("demuxer")
        avdevice_register_all()  // cameras: here and not in Media, for all programs would load a hundred libraries with it
        var settings = DemuxService.Settings(mediaEndpoint: options.mediaEndpoint, runDirectory: options.runDirectory)
        settings.realtime = realtime
        settings.reconnectSeconds = reconnectSeconds
        settings.viewerID = viewer
        settings.advertID = advert
        settings.consent = consent
        let names = try session.isEmpty ? SessionName.identified(inputs, start: Date()) : unusedNames(logger)
        let named = zip(inputs, names).map(DemuxService.Input.init)
        // What cannot wait is taken first, each by a thread that files have no use of.
        let urgent = named.filter { !SessionName.isRepeatable($0.source) }
        settings.jobs = jobs + urgent.count
        let ordered = urgent + named.filter { SessionName.isRepeatable($0.source) }
        let service = try NodeProcess.opening {
            try DemuxService(settings, inputs: ordered, instance: NodeOptions.instance("demuxer"), logger: logger)
        }
        service.start()
        if exitAfterDrain {
            try await NodeProcess.run(
                finished: {
                    await service.waitUntilDrained()
                    return service.exitCode
                }, stop: service.stop)
        } else {
            try await NodeProcess.runUntilStopped(stop: service.stop)
        }
    }

    /// The names of `--session`; another one where a source that cannot be read again had this one before.
    private func unusedNames(_ logger: Logger) throws -> [String] {
        try NodeProcess.opening {
            let used = UsedSessions(runDirectory: options.runDirectory)
            return try zip(inputs, session).map { input, name in
                guard !SessionName.isRepeatable(input) else { return name }
                if keepSessionNames {
                    guard try used.claim(name) else {
                        throw SessionFailure(
                            exitCode: ExitStatus.internalError,
                            "\(SessionName.publicName(of: input)): its demuxer died, and it cannot be read again from its start; give it once more")
                    }
                    return name
                }
                let free = try used.claimOneLike(name)
                if free != name { logger.warning("session \(name) has been; what comes now is another one: \(free)") }
                return free
            }
        }
    }
}
