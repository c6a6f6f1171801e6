import ArgumentParser
import Fusion
import FusionKit
import NodeKit

@main
struct FusionNode: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fusion-node",
        abstract: "Fuse voice and face, put the pulse beside them, publish the timeline.",
        discussion: "Evidence is kept in a journal, so that a restart resumes where it was.")

    @Option(help: "Journal file, or 'none' to keep evidence in memory only. [$ADREACT_JOURNAL]")
    var journal = NodeOptions.environment("ADREACT_JOURNAL", "run/journal.sqlite")
    @Option(help: "Finished sessions are kept for so many days. [$ADREACT_KEEP_DAYS]")
    var keepDays = Int(NodeOptions.environment("ADREACT_KEEP_DAYS", "30")) ?? 0
    @Option(help: "Finished timelines are kept up to so much together; the oldest go first. [$ADREACT_KEEP_MEGABYTES]")
    var keepMegabytes = Int(NodeOptions.environment("ADREACT_KEEP_MEGABYTES", "100")) ?? 0
    @Option(help: "Weight of the face against the voice, 0 to 1.")
    var faceWeight = 0.5
    @Option(help: "Set voice and heart rate against what is usual for the person, where the model is made for that: on or off.")
    var baseline = BaselineChoice.on
    @OptionGroup var options: NodeOptions

    func validate() throws {
        guard (1...36_500).contains(keepDays) else { throw ValidationError("--keep-days must be 1 to 36500.") }
        guard (1...1_000_000).contains(keepMegabytes) else { throw ValidationError("--keep-megabytes must be 1 to 1000000.") }
        guard (0...1).contains(faceWeight) else { throw ValidationError("--face-weight must be 0 to 1.") }
    }

    func run() async throws {
        var settings = FusionService.Settings(
            evidenceEndpoint: options.evidenceEndpoint, timelineEndpoint: options.timelineEndpoint,
            journalPath: journal == "none" ? nil : journal)
        settings.keepDays = keepDays
        settings.keepBytes = keepMegabytes * 1_000_000
        settings.fusion = FusionSettings(faceWeight: faceWeight, usesPersonalBaseline: baseline == .on)
        let service = try NodeProcess.opening {
            try FusionService(settings, instance: NodeOptions.instance("fusion-node"), logger: options.logger("fusion-node"))
        }
        service.start()
        try await NodeProcess.runUntilStopped(stop: service.stop)
    }
}
