import Foundation

/// Where networks are found.
public enum ModelPaths {
    /// A model folder: a path as given, or the name of a folder in `$ADREACT_MODELS`, in the `Models` folder beside the
    /// build that this program belongs to, or in that of the working directory.
    public static func folder(_ nameOrPath: String) -> String {
        if nameOrPath.contains("/") || FileManager.default.fileExists(atPath: nameOrPath + "/model.json") { return nameOrPath }
        let candidates = roots.map { $0 + "/" + nameOrPath }
        return candidates.first { FileManager.default.fileExists(atPath: $0 + "/model.json") } ?? candidates.last ?? nameOrPath
    }

    /// What set-up fetches: face detectors and the like.
    public static var fetched: String {
        NodeOptions.environment("ADREACT_PREFIX", "/opt/adreact") + "/models"
    }

    /// The folder of the running program.
    public static var programs: String {
        let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        return (program as NSString).deletingLastPathComponent
    }

    private static var roots: [String] {
        let environment = NodeOptions.environment("ADREACT_MODELS", "")
        // PROJECT/.build/TRIPLE/release/PROGRAM
        let project = ["..", "..", ".."].reduce(programs) { path, _ in (path as NSString).deletingLastPathComponent }
        return (environment.isEmpty ? [] : [environment]) + [project + "/Models", FileManager.default.currentDirectoryPath + "/Models"]
    }
}
