/// First in, first out, in amortised O(1). Positions count from the first element ever appended, so that they stay
/// valid while earlier elements leave.
struct Queue<Element: Sendable>: Sendable {
    private var storage: [Element] = []
    private var offset = 0
    private var removedCount = 0

    var isEmpty: Bool { offset == storage.count }
    var count: Int { storage.count - offset }
    var first: Element? { isEmpty ? nil : storage[offset] }
    var last: Element? { isEmpty ? nil : storage[storage.count - 1] }

    /// The position of the first element, and the one past the last.
    var startPosition: Int { removedCount }
    var endPosition: Int { removedCount + count }

    /// The element at a position in `startPosition..<endPosition`.
    subscript(position: Int) -> Element {
        get { storage[offset + position - removedCount] }
        set { storage[offset + position - removedCount] = newValue }
    }

    mutating func append(_ element: Element) {
        storage.append(element)
    }

    mutating func removeFirst() -> Element? {
        guard let first else { return nil }
        offset += 1
        removedCount += 1
        if offset > 32 && offset * 2 > storage.count {
            storage.removeFirst(offset)
            offset = 0
        }
        return first
    }
}
