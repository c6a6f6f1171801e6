import ArgumentParser
import CAVDevice
import Foundation
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
    @Option(help: "Inputs read at once.")
    var jobs = 2
    @Option(help: "Viewer, as it shall travel with the sessions.")
    var viewer = ""
    @Option(help: "Advert, as it shall travel with the sessions.")
    var advert = ""
    @Option(help: "The viewer's consent, in your words; it travels with the sessions.")
    var consent = ""
    @Option(help: "Name of the first, second ... input's session.")
    var session: [String] = []
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
    }

    func run() async throws {
        let logger = options.logger("demuxer")
        avdevice_register_all()  // cameras: here and not in Media, for all programs would load a hundred libraries with it
        var settings = DemuxService.Settings(mediaEndpoint: options.mediaEndpoint)
        settings.jobs = jobs
        settings.realtime = realtime
        settings.reconnectSeconds = reconnectSeconds
        settings.viewerID = viewer
        settings.advertID = advert
        settings.consent = consent
        let named = zip(inputs, session.isEmpty ? SessionName.identified(inputs, start: Date()) : session).map(DemuxService.Input.init)
        let service = try NodeProcess.opening {
            try DemuxService(settings, inputs: named, instance: NodeOptions.instance("demuxer"), logger: logger)
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
}
