import Foundation

/// A queue from many threads to one. Its length is bounded by the credit of whoever fills it.
public final class Mailbox<Element: Sendable>: @unchecked Sendable {
    private let condition = NSCondition()
    private var elements: [Element] = []
    private var closed = false

    public init() {}

    public func put(_ element: Element) {
        condition.lock()
        elements.append(element)
        condition.signal()
        condition.unlock()
    }

    /// All that has arrived, in order; waits while there is nothing. `nil`: closed and empty.
    public func takeAll() -> [Element]? {
        condition.lock()
        defer { condition.unlock() }
        while elements.isEmpty, !closed { condition.wait() }
        guard !elements.isEmpty else { return nil }
        defer { elements = [] }
        return elements
    }

    public func close() {
        condition.lock()
        closed = true
        condition.broadcast()
        condition.unlock()
    }
}

/// How many bytes a producer may have on the way: it waits while its budget is spent.
public final class ByteBudget: @unchecked Sendable {
    private let condition = NSCondition()
    private let capacity: Int
    private var used = 0
    private var lifted = false
    private var closed = false

    public init(capacity: Int) { self.capacity = capacity }

    /// Takes `bytes`, waiting while the budget is spent. One request may overdraw an account that is not empty, so that
    /// a message larger than the whole budget passes too. Returns `false` when closed.
    public func take(_ bytes: Int) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        while used >= capacity, !lifted, !closed { condition.wait() }
        used += bytes
        return !closed
    }

    public func giveBack(_ bytes: Int) {
        condition.lock()
        used -= bytes
        condition.broadcast()
        condition.unlock()
    }

    /// While lifted nobody waits: the readers have read all there is, and need more before they can let go of any of it.
    public func lift(_ lifted: Bool) {
        condition.lock()
        self.lifted = lifted
        condition.broadcast()
        condition.unlock()
    }

    public func close() {
        condition.lock()
        closed = true
        condition.broadcast()
        condition.unlock()
    }
}
