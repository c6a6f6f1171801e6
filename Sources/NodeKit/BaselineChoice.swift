import ArgumentParser

/// `--baseline on|off`: whether voice and heart rate are set against what is usual for the person.
public enum BaselineChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
    case on, off
}
