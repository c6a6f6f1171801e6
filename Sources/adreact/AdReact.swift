import ArgumentParser

@main
struct AdReact: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adreact",
        abstract: "How does a viewer react, second by second? From voice, face and pulse.",
        subcommands: [Analyze.self, Status.self, Tap.self])
}
