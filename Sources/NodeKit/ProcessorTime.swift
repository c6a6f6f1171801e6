import Foundation

/// What this process has cost so far, for benchmarks.
public enum ProcessorTime {
    /// Of all its threads, s.
    public static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Of a piece of work, s.
    public static func of(_ work: () throws -> Void) rethrows -> Double {
        let start = now
        try work()
        return now - start
    }

    /// The most memory that was resident at a time.
    public static var peakMegabytes: Double {
        var usage = rusage()
        getrusage(Int32(bitPattern: UInt32(RUSAGE_SELF.rawValue)), &usage)
        return Double(usage.ru_maxrss) / 1024
    }
}
