import Dispatch
import NodeKit
import Synchronization
import Testing

@Suite("Background work is one piece at a time, and is waited for")
struct BackgroundTests {
    private struct Failure: Error {}

    @Test func whatWasStartedIsGivenOnce() throws {
        let background = Background<Int>()
        #expect(try background.result() == nil)
        for number in 1...100 {
            background.start { number }
            #expect(try background.result() == number)
            #expect(try background.result() == nil)
        }
    }

    @Test func itRunsWhileTheCallerDoesSomethingElse() throws {
        let background = Background<Bool>()
        let theirs = DispatchSemaphore(value: 0)
        // Would wait for ever on the caller's own thread.
        background.start { theirs.wait(timeout: .now() + 60) == .success }
        theirs.signal()
        #expect(try background.result() == true)
    }

    @Test func errorsComeOutWhereTheResultIsAskedFor() throws {
        let background = Background<Int>()
        background.start { throw Failure() }
        #expect(throws: Failure.self) { try background.result() }
        background.start { 2 }
        #expect(try background.result() == 2)
    }

    @Test func nobodyLeavesBeforeTheWorkIsDone() {
        let isDone = Mutex(false)
        let mayEnd = DispatchSemaphore(value: 0)
        var background: Background<Void>? = Background()
        background?.start {
            _ = mayEnd.wait(timeout: .now() + 60)
            isDone.withLock { $0 = true }
        }
        mayEnd.signal()
        background = nil
        #expect(isDone.withLock { $0 })
    }
}
