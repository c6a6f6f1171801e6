import Foundation
import StreamLog
import Synchronization

/// What a node is working on, noted in a file that outlives it: so that its next life knows what the last one died of.
///
/// The note is a page of memory shared with the file, so writing it costs nothing, and it survives any death. Only the node's
/// own crashes count (an illegal instruction, a bad address, an abort), which its signal handler marks; being killed from
/// outside says nothing about the work.
///
/// One thread at a time. Where several threads work on different things, each has notes of its own, and a crash is marked in those of
/// the thread that crashes.
public final class CrashNotes {
    /// Which threads' crashes are marked.
    public enum Scope: Sendable {
        /// Those that have no notes of their own: a node's, or of the libraries that it uses.
        case process
        /// The one that calls `working`.
        case thread
    }

    /// A crash of an earlier life.
    public struct Crash: Sendable, Equatable {
        public let log: LogID
        /// The entry that was being worked on.
        public let sequence: UInt64
    }

    /// So many crashes at one session, and it is not tried again.
    public static let mostCrashes = 3
    /// The same of an input that crashes the demuxer, which has fewer lives: all its inputs share them.
    public static let mostCrashesOfInput = 2
    /// No more crashes than this are remembered.
    private static let mostRemembered = 64

    /// Crashes of earlier lives of this node, and of others of its name.
    public let crashes: [Crash]
    private let descriptor: Int32
    private let path: String
    private let page: UnsafeMutableRawPointer
    private let scope: Scope

    private enum Layout {
        static let size = 4096
        static let crashed = 0
        static let sequence = 8
        static let length = 16
        static let text = 24
    }

    /// - Parameters:
    ///   - folder: made where absent.
    ///   - node: what all lives of the node are called.
    ///   - instance: a name that no other life has.
    /// - Throws: `SessionFailure` where the folder cannot be written.
    public init(folder: String, node: String, instance: String, scope: Scope = .process) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw Self.failure(folder, error.localizedDescription)
        }
        crashes = Self.collect(folder: folder, node: node)
        path = "\(folder)/\(node).\(instance).note"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        // Held as long as this process lives: a note that nobody holds is of one that is dead.
        guard descriptor >= 0, flock(descriptor, LOCK_EX | LOCK_NB) == 0, ftruncate(descriptor, off_t(Layout.size)) == 0,
            let page = mmap(nil, Layout.size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), page != MAP_FAILED
        else { throw Self.failure(path, String(cString: strerror(errno))) }
        self.page = page
        self.scope = scope
        if scope == .process { Self.processPage.store(UInt(bitPattern: page), ordering: .sequentiallyConsistent) }
        Self.markCrashes()
    }

    deinit {
        if scope == .process { Self.processPage.store(0, ordering: .sequentiallyConsistent) }
        munmap(page, Layout.size)
        close(descriptor)
        unlink(path)
    }

    /// Crashes at this session in earlier lives, the latest last.
    public func crashes(at session: String) -> [Crash] { crashes.filter { $0.log.session == session } }

    /// From now on this entry is being worked on.
    public func working(on log: LogID, sequence: UInt64) {
        if scope == .thread { pthread_setspecific(Self.threadPage, page) }
        page.storeBytes(of: sequence, toByteOffset: Layout.sequence, as: UInt64.self)
        let text = Array("\(log.segment)/\(log.track)/\(log.session)".utf8.prefix(Layout.size - Layout.text))
        (page + Layout.text).copyMemory(from: text, byteCount: text.count)
        page.storeBytes(of: UInt64(text.count), toByteOffset: Layout.length, as: UInt64.self)
    }

    /// Nothing is being worked on.
    public func rest() {
        if scope == .thread { pthread_setspecific(Self.threadPage, nil) }
        page.storeBytes(of: 0, toByteOffset: Layout.length, as: UInt64.self)
    }

    // MARK: -

    /// The notes of the dead: those that crashed are kept and counted, the others go.
    private static func collect(folder: String, node: String) -> [Crash] {
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [])
            .filter { $0.hasPrefix(node + ".") && $0.hasSuffix(".note") }
        var found: [(modified: Date, path: String, crash: Crash)] = []
        for path in names.map({ folder + "/" + $0 }) {
            let descriptor = open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { continue }
            defer { close(descriptor) }
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { continue }  // it lives
            let bytes = FileManager.default.contents(atPath: path) ?? Data()
            guard let crash = crash(in: bytes) else {
                unlink(path)
                continue
            }
            let modified = (try? FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date) ?? .distantPast
            found.append((modified, path, crash))
        }
        found.sort { ($0.modified, $0.path) < ($1.modified, $1.path) }
        for old in found.dropLast(mostRemembered) { unlink(old.path) }
        return found.suffix(mostRemembered).map(\.crash)
    }

    /// - Returns: nil for a note of a life that did not crash, or was not working when it did.
    private static func crash(in bytes: Data) -> Crash? {
        guard bytes.count == Layout.size else { return nil }
        return bytes.withUnsafeBytes { page in
            let length = page.load(fromByteOffset: Layout.length, as: UInt64.self)
            guard page.load(fromByteOffset: Layout.crashed, as: UInt64.self) != 0, length > 0, length <= UInt64(Layout.size - Layout.text)
            else { return nil }
            let text = String(decoding: page[Layout.text..<Layout.text + Int(length)], as: UTF8.self)
            let parts = text.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3, let segment = UInt32(parts[0]) else { return nil }
            return Crash(
                log: LogID(session: String(parts[2]), track: String(parts[1]), segment: segment),
                sequence: page.load(fromByteOffset: Layout.sequence, as: UInt64.self))
        }
    }

    // All that a signal handler can reach: the page of the thread, else of the process; 0: none.
    private static let processPage = Atomic<UInt>(0)
    private static let threadPage: pthread_key_t = {
        var key = pthread_key_t()
        pthread_key_create(&key, nil)
        return key
    }()

    private static func markCrashes() {
        _ = threadPage  // made here, and not in the handler
        for number in [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP] {
            signal(number) { number in
                let page = pthread_getspecific(CrashNotes.threadPage)
                    ?? UnsafeMutableRawPointer(bitPattern: CrashNotes.processPage.load(ordering: .relaxed))
                page?.storeBytes(of: 1, toByteOffset: Layout.crashed, as: UInt64.self)
                signal(number, SIG_DFL)
                raise(number)
            }
        }
    }

    private static func failure(_ path: String, _ detail: String) -> SessionFailure {
        SessionFailure(
            exitCode: ExitStatus.cannotWrite, "\(path): cannot be written (\(detail)); choose another --run-directory")
    }
}
