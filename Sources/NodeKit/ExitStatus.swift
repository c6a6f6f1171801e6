/// Exit codes of every command, after sysexits.h. Ended by a signal: 128 + its number.
public enum ExitStatus {
    public static let done: Int32 = 0
    public static let usage: Int32 = 64
    /// The input is there, but is not (or not wholly) what it should be.
    public static let badInput: Int32 = 65
    public static let noInput: Int32 = 66
    /// A peer, a model or a device is missing.
    public static let unavailable: Int32 = 69
    public static let internalError: Int32 = 70
    /// A file or folder cannot be written.
    public static let cannotWrite: Int32 = 73
}
