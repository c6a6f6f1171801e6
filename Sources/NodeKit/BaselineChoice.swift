import ArgumentParser

/// `--baseline on|off`: whether a voice is set against what is usual for it.
public enum BaselineChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
    case on, off
}
