import Wire

/// A distribution of durations, in the space of a few hundred numbers however many there are.
///
/// Buckets are equally wide in proportion, 16 to each doubling, so a percentile is at most 1/16 too high and never too
/// low. That makes distributions of several processes one by adding up counts, and small enough to send every second,
/// which is why this is no library's (HdrHistogram for Swift has no form for the wire).
public struct LatencyHistogram: Sendable, Equatable {
    public private(set) var count: UInt64 = 0
    public private(set) var sumNanoseconds: UInt64 = 0
    public private(set) var maximumNanoseconds: UInt64 = 0
    private var buckets: [UInt32: UInt64] = [:]

    private static let bucketsPerDoubling = 16

    public init() {}

    /// Counts one duration. A negative one (two hosts' clocks that differ) counts as 0.
    public mutating func record(nanoseconds: Int64) {
        let value = UInt64(max(0, nanoseconds))
        count += 1
        sumNanoseconds = sumNanoseconds.addingReportingOverflow(value).overflow ? .max : sumNanoseconds + value
        maximumNanoseconds = max(maximumNanoseconds, value)
        buckets[Self.bucket(of: value), default: 0] += 1
    }

    /// The smallest duration that `percent` of all do not exceed (nearest rank), to 1/16; `nil` where there are none.
    /// - Parameter percent: 0 to 100.
    public func percentile(_ percent: Double) -> UInt64? {
        guard count > 0 else { return nil }
        let rank = UInt64(max(1, (Double(count) * min(percent, 100) / 100).rounded(.up)))
        var passed: UInt64 = 0
        for (bucket, number) in buckets.sorted(by: { $0.key < $1.key }) {
            passed &+= number
            if passed >= rank { return min(Self.largest(in: bucket), maximumNanoseconds) }
        }
        return maximumNanoseconds
    }

    public mutating func merge(_ other: LatencyHistogram) {
        count &+= other.count
        sumNanoseconds = sumNanoseconds.addingReportingOverflow(other.sumNanoseconds).overflow ? .max : sumNanoseconds + other.sumNanoseconds
        maximumNanoseconds = max(maximumNanoseconds, other.maximumNanoseconds)
        for (bucket, number) in other.buckets { buckets[bucket, default: 0] &+= number }
    }

    // MARK: Buckets: 0 to 31 hold one value each, then 16 for each power of two.

    private static func bucket(of value: UInt64) -> UInt32 {
        guard value >= 2 * UInt64(bucketsPerDoubling) else { return UInt32(value) }
        let shift = value.bitWidth - value.leadingZeroBitCount - 5
        return UInt32(shift * bucketsPerDoubling) + UInt32(value >> UInt64(shift))
    }

    private static func largest(in bucket: UInt32) -> UInt64 {
        guard bucket >= 2 * UInt32(bucketsPerDoubling) else { return UInt64(bucket) }
        let shift = UInt64(bucket) / 16 - 1
        let (top, overflows) = (UInt64(bucket) % 16 + 17).multipliedReportingOverflow(by: shift < 60 ? 1 << shift : .max)
        return overflows ? .max : top - 1
    }
}

extension LatencyHistogram {
    package init(_ distribution: Adreact_V1_Distribution) {
        count = distribution.count
        sumNanoseconds = distribution.sumNanoseconds
        maximumNanoseconds = distribution.maximumNanoseconds
        buckets = distribution.buckets
    }

    package var wire: Adreact_V1_Distribution {
        .with {
            $0.count = count
            $0.sumNanoseconds = sumNanoseconds
            $0.maximumNanoseconds = maximumNanoseconds
            $0.buckets = buckets
        }
    }
}
