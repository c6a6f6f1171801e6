import CZeroMQ
import Foundation
import Synchronization

/// A peer at the other end of a socket: for a bound socket one of many, for a connected one the only one.
public struct Peer: Hashable, Sendable {
    let socket: Int
    let identity: [UInt8]
}

/// The one thread that owns a process's ZeroMQ sockets, and runs the state machines behind them.
///
/// ZeroMQ sockets are not thread-safe, and state machines need no locks where one thread drives them: whoever wants
/// something of either posts a piece of work here.
public final class SocketLoop: @unchecked Sendable {
    public typealias Frames = [[UInt8]]

    private let context: UnsafeMutableRawPointer
    private var sockets: [UnsafeMutableRawPointer] = []
    private var bound: [Bool] = []
    private var receivers: [(Frames, Peer) -> Void] = []
    private var tickers: [(Double) -> Void] = []
    private let wakeUp: Int32
    /// Open files whose locks say that endpoints are taken.
    private var locks: [Int32] = []
    private let posted = Mutex<[@Sendable () -> Void]>([])
    private let stopping = Atomic<Bool>(false)
    private let finished = DispatchSemaphore(value: 0)
    private var started = false

    // What strangers may send and leave unread: a bound socket has limits for each peer. Who sends larger messages is
    // disconnected, who sends faster than is read waits, who does not read is told no more.
    /// Longest message from a reader: a subscription with 64 tracks.
    public static let maximumReaderMessageBytes = 64 << 10
    /// Longest message of evidence.
    public static let maximumEvidenceMessageBytes = 1 << 20
    static let maximumUnreadMessages: Int32 = 1_000
    /// Above what the credit of any node holds of the smallest packets.
    static let maximumUnsentMessages: Int32 = 100_000

    /// How often tickers run, in seconds.
    public static let tickSeconds = 0.1

    /// - Throws: `TransportError` when the process is out of descriptors or memory.
    public init() throws(TransportError) {
        guard let context = zmq_ctx_new() else { throw .last("starting ZeroMQ") }
        zmq_ctx_set(context, ZMQ_IPV6, 1)
        self.context = context
        wakeUp = eventfd(0, Int32(O_NONBLOCK) | Int32(O_CLOEXEC))  // EFD_NONBLOCK, EFD_CLOEXEC
        guard wakeUp >= 0 else { throw .last("making an event descriptor") }
    }

    deinit {
        for socket in sockets where !started { zmq_close(socket) }
        for lock in locks where !started { close(lock) }
        close(wakeUp)
        if !started { zmq_ctx_term(context) }
    }

    // MARK: Before `start`

    /// Binds a socket that many peers connect to; returns its number.
    /// - Parameter maximumMessageBytes: of a message's longest frame; a peer that sends a longer one is disconnected.
    public func bind(
        _ endpoint: String, maximumMessageBytes: Int = 80 << 20, receive: @escaping (Frames, Peer) -> Void
    ) throws(TransportError) -> Int {
        try makeParentFolder(of: endpoint)
        try claim(endpoint)
        let socket = try makeSocket(ZMQ_ROUTER)
        set(socket, ZMQ_ROUTER_MANDATORY, 1)
        set(socket, ZMQ_ROUTER_HANDOVER, 1)
        set(socket, ZMQ_RCVHWM, Self.maximumUnreadMessages)
        set(socket, ZMQ_SNDHWM, Self.maximumUnsentMessages)
        setLongest(socket, maximumMessageBytes)
        guard zmq_bind(socket, endpoint) == 0 else { throw closing(socket, .last("binding \(endpoint)")) }
        return add(socket, bound: true, receive)
    }

    /// Connects to a bound socket, now or whenever it comes up; returns the peer at the other end.
    public func connect(_ endpoint: String, receive: @escaping (Frames, Peer) -> Void) throws(TransportError) -> Peer {
        let socket = try makeSocket(ZMQ_DEALER)
        set(socket, ZMQ_SNDHWM, Self.maximumUnsentMessages)  // heartbeats for a peer that is away for days
        set(socket, ZMQ_RECONNECT_IVL, 50)
        set(socket, ZMQ_RECONNECT_IVL_MAX, 500)
        guard zmq_connect(socket, endpoint) == 0 else { throw closing(socket, .last("connecting to \(endpoint)")) }
        return Peer(socket: add(socket, bound: false, receive), identity: [])
    }

    /// Calls `tick` with the monotonic time in seconds, every `tickSeconds`.
    public func addTicker(_ tick: @escaping (Double) -> Void) { tickers.append(tick) }

    public func start() {
        started = true
        let thread = Thread { [self] in run() }
        thread.name = "sockets"
        thread.start()
    }

    // MARK: From any thread

    /// Runs `work` on the loop's thread, soon and in order of posting.
    public func post(_ work: @escaping @Sendable () -> Void) {
        let first = posted.withLock { queue in
            queue.append(work)
            return queue.count == 1
        }
        if first {
            var one: UInt64 = 1
            _ = write(wakeUp, &one, 8)
        }
    }

    /// Sends what is queued, closes the sockets and ends the thread. Returns when that is done.
    public func stop() {
        guard started, !stopping.exchange(true, ordering: .sequentiallyConsistent) else { return }
        post {}
        finished.wait()
    }

    /// Monotonic time in seconds: for liveness only.
    public static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    // MARK: On the loop's thread

    /// Sends a message. A peer that is gone is no error: it will be missed by its silence.
    /// - Returns: `false` where the peer has left so much unread that this message was not sent.
    @discardableResult public func send(_ frames: [[UInt8]], to peer: Peer) -> Bool {
        let socket = sockets[peer.socket]
        let all = bound[peer.socket] ? [peer.identity] + frames : frames
        for (index, frame) in all.enumerated() {
            let flags = ZMQ_DONTWAIT | (index < all.count - 1 ? ZMQ_SNDMORE : 0)
            let sent = frame.withUnsafeBytes { zmq_send(socket, $0.baseAddress, $0.count, flags) }
            if sent < 0 { return zmq_errno() != EAGAIN }
        }
        return true
    }

    private func run() {
        var nextTick = Self.now()
        while !stopping.load(ordering: .relaxed) {
            let wait = max(0, nextTick - Self.now())
            wait_(milliseconds: Int((wait * 1000).rounded(.up)))
            runPosted()
            for index in sockets.indices { receiveAll(index) }
            let now = Self.now()
            if now >= nextTick {
                for tick in tickers { tick(now) }
                nextTick = now + Self.tickSeconds
            }
        }
        runPosted()
        for socket in sockets { zmq_close(socket) }
        zmq_ctx_term(context)
        for lock in locks { close(lock) }
        receivers = []
        tickers = []
        finished.signal()
    }

    private func wait_(milliseconds: Int) {
        var items = sockets.map { zmq_pollitem_t(socket: $0, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0) }
        items.append(zmq_pollitem_t(socket: nil, fd: wakeUp, events: Int16(ZMQ_POLLIN), revents: 0))
        _ = zmq_poll(&items, Int32(items.count), milliseconds)
    }

    private func runPosted() {
        var count: UInt64 = 0
        _ = read(wakeUp, &count, 8)
        let work = posted.withLock { queue in
            defer { queue.removeAll(keepingCapacity: true) }
            return queue
        }
        for piece in work { piece() }
    }

    /// Takes what has arrived, but not for ever: other sockets and ticks want their turn.
    private func receiveAll(_ index: Int) {
        for _ in 0..<256 {
            guard var frames = receiveOne(sockets[index]) else { return }
            var identity: [UInt8] = []
            if bound[index] {
                guard !frames.isEmpty else { continue }
                identity = frames.removeFirst()
            }
            receivers[index](frames, Peer(socket: index, identity: identity))
        }
    }

    private func receiveOne(_ socket: UnsafeMutableRawPointer) -> Frames? {
        var frames: Frames = []
        while true {
            var message = zmq_msg_t()
            zmq_msg_init(&message)
            defer { zmq_msg_close(&message) }
            guard zmq_msg_recv(&message, socket, frames.isEmpty ? ZMQ_DONTWAIT : 0) >= 0 else { return nil }
            // More frames than the protocol has are read to the end of the message, but not kept.
            if frames.count < 4 {
                frames.append([UInt8](UnsafeRawBufferPointer(start: zmq_msg_data(&message), count: zmq_msg_size(&message))))
            }
            if zmq_msg_more(&message) == 0 { return frames }
        }
    }

    // MARK: -

    /// An open socket would keep its context from ending for ever.
    private func closing(_ socket: UnsafeMutableRawPointer, _ error: TransportError) -> TransportError {
        zmq_close(socket)
        return error
    }

    private func makeSocket(_ type: Int32) throws(TransportError) -> UnsafeMutableRawPointer {
        guard let socket = zmq_socket(context, type) else { throw .last("opening a socket") }
        // Nothing is dropped at a high-water mark: credit bounds what is in flight.
        set(socket, ZMQ_SNDHWM, 0)
        set(socket, ZMQ_RCVHWM, 0)
        set(socket, ZMQ_LINGER, 500)
        setLongest(socket, 80 << 20)
        return socket
    }

    private func setLongest(_ socket: UnsafeMutableRawPointer, _ bytes: Int) {
        var largest = Int64(bytes)
        zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &largest, MemoryLayout<Int64>.size)
    }

    private func set(_ socket: UnsafeMutableRawPointer, _ option: Int32, _ value: Int32) {
        var value = value
        zmq_setsockopt(socket, option, &value, MemoryLayout<Int32>.size)
    }

    private func add(_ socket: UnsafeMutableRawPointer, bound isBound: Bool, _ receive: @escaping (Frames, Peer) -> Void) -> Int {
        sockets.append(socket)
        bound.append(isBound)
        receivers.append(receive)
        return sockets.count - 1
    }

    /// Binding to a path takes it from whoever had it, without a word to either: a lock beside it tells that it is taken. The system
    /// lets go of it when the process ends, however it does.
    private func claim(_ endpoint: String) throws(TransportError) {
        guard endpoint.hasPrefix("ipc://"), !endpoint.hasPrefix("ipc://@") else { return }
        let path = endpoint.dropFirst(6) + ".lock"
        let descriptor = open(String(path), O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw TransportError(description: "cannot make \(path): \(String(cString: strerror(errno)))") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw TransportError(
                description: "\(endpoint) is in use by another process; end that one, or give this one another endpoint")
        }
        locks.append(descriptor)
    }

    private func makeParentFolder(of endpoint: String) throws(TransportError) {
        guard endpoint.hasPrefix("ipc://") else { return }
        let folder = (String(endpoint.dropFirst(6)) as NSString).deletingLastPathComponent
        guard !folder.isEmpty else { return }
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw TransportError(description: "cannot make the folder \(folder) for \(endpoint): \(error.localizedDescription)")
        }
    }
}

public struct TransportError: Error, Sendable, CustomStringConvertible {
    public let description: String

    static func last(_ doing: String) -> TransportError {
        TransportError(description: "\(doing): \(String(cString: zmq_strerror(zmq_errno())))")
    }
}
