import Foundation
import SwiftProtobuf
import Wire

/// Random cases from one printed seed: some seconds in a test run, `ADREACT_FUZZ_MINUTES` when asked for more.
/// `ADREACT_FUZZ_SEED` repeats a run, case by case.
public struct FuzzRun {
    public let seed: UInt64
    private let seconds: Double
    private let name: String

    public init(_ name: String, seconds: Double = 3) {
        let environment = ProcessInfo.processInfo.environment
        self.name = name
        self.seconds = Double(environment["ADREACT_FUZZ_MINUTES"] ?? "").map { $0 * 60 } ?? seconds
        seed = UInt64(environment["ADREACT_FUZZ_SEED"] ?? "") ?? UInt64.random(in: .min ... .max)
        // At once, for the case that the process does not live to tell.
        say("begins, seed \(seed)")
    }

    /// Runs cases until the time is up or one fails; each case's generator depends on the seed and its number alone.
    /// - Parameter oneCase: returns what is wrong, or `nil`.
    /// - Returns: what was wrong, with the seed that shows it.
    public func run(_ oneCase: (inout FuzzRandom) throws -> String?) rethrows -> String? {
        let deadline = Date(timeIntervalSinceNow: seconds)
        var number: UInt64 = 0
        while Date() < deadline {
            var random = FuzzRandom(seed: seed &+ number &* 0x2545_F491_4F6C_DD1D)
            if let wrong = try oneCase(&random) { return "\(wrong) (seed \(seed), case \(number))" }
            number += 1
        }
        say("\(number) cases, seed \(seed)")
        return nil
    }

    public func say(_ text: String) { FileHandle.standardError.write(Data("fuzz \(name): \(text)\n".utf8)) }

    /// Resident memory of a process, now and at its highest, in MB.
    public static func memoryMegabytes(of process: String = "self") -> (now: Int, peak: Int) {
        let status = (try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)) ?? ""
        func field(_ name: String) -> Int {
            let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") } ?? ""
            return (line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0) / 1024
        }
        return (field("VmRSS"), field("VmHWM"))
    }
}

/// SplitMix64.
public struct FuzzRandom: RandomNumberGenerator {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    public mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }

    public mutating func chance(_ share: Double) -> Bool { Double.random(in: 0..<1, using: &self) < share }

    public mutating func pick<Element>(_ all: [Element]) -> Element { all[below(all.count)] }

    /// Numbers where mistakes are made.
    public mutating func edge() -> UInt64 {
        let base = pick([0, 1, 2, 127, 128, 255, 1 << 16, 1 << 31, 1 << 32, 1 << 60, 1 << 62, 1 << 63, .max] as [UInt64])
        return pick([base, base &- 1, base &+ 1, next(), UInt64(below(20))])
    }

    public mutating func signedEdge() -> Int64 { Int64(bitPattern: edge()) }

    public mutating func real() -> Double {
        pick([0, -0.0, 1, -1, 0.5, .nan, .infinity, -.infinity, .greatestFiniteMagnitude, .leastNonzeroMagnitude, 1e18, -1e18, Double(bitPattern: next())])
    }

    public mutating func text() -> String {
        pick(["", "s", "emotion", "voice", "../../etc/passwd", "a\0b", "\u{1F600}", String(repeating: "x", count: below(400))])
    }

    public mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &self) } }

    /// Bytes with a few things wrong.
    public mutating func damaged(_ bytes: [UInt8], with other: [UInt8] = []) -> [UInt8] {
        var bytes = bytes
        for _ in 0...below(4) {
            let place = below(bytes.count + 1)
            switch below(8) {
            case 0: if place < bytes.count { bytes[place] = UInt8.random(in: .min ... .max, using: &self) }
            case 1: if place < bytes.count { bytes[place] ^= 1 << UInt8(below(8)) }
            case 2: bytes.insert(UInt8.random(in: .min ... .max, using: &self), at: place)
            case 3: if place < bytes.count { bytes.remove(at: place) }
            case 4: bytes.removeSubrange(place...)
            // A length or a number that is far too large, or never ends.
            case 5: bytes.insert(contentsOf: [UInt8](repeating: 0xff, count: below(12)) + [UInt8(below(128))], at: place)
            case 6: bytes.insert(contentsOf: bytes.prefix(below(bytes.count + 1)), at: place)
            default: bytes.replaceSubrange(place..., with: other.dropFirst(below(other.count + 1)))
            }
        }
        return bytes
    }
}

extension FuzzRandom {
    /// A message as some peer might send it: of any kind, with a body that fits it or not, and numbers from anywhere.
    /// - Parameter groups: that subscriptions name, beside random ones.
    public mutating func message(sessions: [String] = ["a", "b", "c"], groups: [String] = ["g", "fusion-node", "face-node"]) -> WireMessage {
        var envelope = Envelope()
        envelope.kind = pick(Self.kinds)
        envelope.session = chance(0.9) ? pick(sessions) : text()
        envelope.track = chance(0.9) ? pick(["voice", "face", "pulse", "emotion", "seconds", "pulse-windows", "audio", "video"]) : text()
        envelope.segment = chance(0.8) ? UInt32(below(3)) : UInt32(truncatingIfNeeded: edge())
        envelope.sequence = chance(0.6) ? UInt64(below(6)) : edge()
        envelope.mediaStartNanoseconds = time()
        envelope.mediaDurationNanoseconds = time()
        envelope.captureUnixNanoseconds = signedEdge()
        envelope.sourceInstance = pick(["i", "j", text()])
        envelope.flags = UInt32(truncatingIfNeeded: edge())
        return WireMessage(envelope, body: body(for: envelope, groups))
    }

    private static let kinds: [BodyKind] = [
        .info, .data, .data, .data, .gap, .end, .transient, .hello, .subscribe, .credit, .acknowledge, .heartbeat, .unspecified,
    ]

    /// Mostly within what honest peers send.
    public mutating func time() -> Int64 {
        chance(0.8) ? Int64(below(40)) * 250_000_000 : signedEdge() >> Int64(below(8))
    }

    private mutating func body(for envelope: Envelope, _ groups: [String]) -> [UInt8] {
        switch below(20) {
        case 0: return bytes(below(200))
        case 1: return []
        default: break
        }
        let message: any SwiftProtobuf.Message = switch envelope.kind {
        case .info: info()
        case .gap: Adreact_V1_Gap.with { $0.fromNanoseconds = time(); $0.toNanoseconds = time(); $0.nextSequence = edge(); $0.reason = text() }
        case .end: Adreact_V1_End.with {
            $0.endNanoseconds = time()
            $0.last = chance(0.5)
            if chance(0.2) { $0.failure.exitCode = Int32(truncatingIfNeeded: edge()); $0.failure.message = text() }
        }
        case .hello: Adreact_V1_Hello.with { $0.instance = text() }
        case .subscribe: Adreact_V1_Subscribe.with {
            $0.group = pick(groups + [text()])
            $0.member = pick(["m", "n", text(), "\(next())"])
            $0.sharing = pick([.everything, .sessions, .segments, .UNRECOGNIZED(77)])
            $0.tracks = (0..<below(70)).map { _ in pick(["emotion", "video", "audio", "seconds", text()]) }
            $0.creditBytes = edge()
            $0.transient = chance(0.3)
            $0.fromStart = chance(0.3)
        }
        case .credit: Adreact_V1_Credit.with { $0.bytes = edge() }
        case .acknowledge: Adreact_V1_Acknowledge.with { $0.nextSequence = edge(); $0.resend = chance(0.5) }
        case .heartbeat: Adreact_V1_Heartbeat.with { beat in
            beat.sessions = (0..<below(4)).map { _ in
                Adreact_V1_SessionProgress.with { $0.session = text(); $0.durationNanoseconds = signedEdge(); $0.coveredNanoseconds = [text(): signedEdge()] }
            }
        }
        default: content(of: envelope.track)
        }
        let bytes: [UInt8] = (try? message.serializedBytes()) ?? []
        return chance(0.1) ? damaged(bytes) : bytes
    }

    private mutating func info() -> Adreact_V1_Info {
        .with {
            $0.session.id = text()
            $0.session.sourceName = text()
            $0.session.durationNanoseconds = signedEdge()
            $0.session.consent = text()
            if chance(0.7) {
                $0.parameters.kind = pick(["audio", "video", "voice", text()])
                $0.parameters.codec = text()
                $0.parameters.extradata = Data(bytes(below(100)))
                $0.parameters.width = UInt32(truncatingIfNeeded: edge())
                $0.parameters.sampleRateHz = UInt32(truncatingIfNeeded: edge())
                $0.parameters.averageFrameRate = real()
            }
        }
    }

    private mutating func logits() -> [Float] { (0..<(chance(0.8) ? 3 : below(6))).map { _ in Float(chance(0.8) ? Double(below(9)) - 4 : real()) } }
    private mutating func shares() -> [Double] { (0..<(chance(0.8) ? 3 : below(6))).map { _ in chance(0.7) ? Double(below(100)) / 100 : real() } }

    private mutating func content(of track: String) -> any SwiftProtobuf.Message {
        switch track {
        case "voice": Adreact_V1_VoiceWindow.with {
            $0.startNanoseconds = time()
            $0.endNanoseconds = time()
            if chance(0.7) {
                $0.speech.startNanoseconds = time()
                $0.speech.endNanoseconds = time()
                $0.speech.logits = logits()
                $0.speech.energyDbfs = Float(real())
            }
        }
        case "face": Adreact_V1_FaceFrame.with {
            $0.ptsNanoseconds = time()
            $0.durationNanoseconds = time()
            $0.faceCount = UInt32(truncatingIfNeeded: edge())
            if chance(0.8) { $0.face.logits = logits() }
            if chance(0.5) { $0.face.head.facesScreen = chance(0.5); $0.face.head.eyesOpen = chance(0.8) }
        }
        case "pulse": Adreact_V1_PulseClip.with {
            $0.startNanoseconds = time()
            $0.endNanoseconds = time()
            if chance(0.5) { $0.heartRateBpm = chance(0.7) ? 70 : real() }
            $0.confidence = chance(0.7) ? 0.5 : real()
            $0.signalQuality = chance(0.7) ? 0.5 : real()
            $0.logits = logits()
        }
        case "seconds": second()
        default: window()
        }
    }

    public mutating func second() -> Adreact_V1_TimelineSecond {
        .with {
            $0.second = chance(0.8) ? UInt32(below(40)) : UInt32(truncatingIfNeeded: edge())
            $0.revision = edge()
            $0.probabilities = shares()
            $0.sources = [pick(["voice", "face", "fused", text()])]
            $0.faceShare = real()
            $0.speechShare = real()
            if chance(0.5) { $0.viewerShare = real(); $0.attention = real() }
            if chance(0.5) { $0.faceCount = UInt32(truncatingIfNeeded: edge()) }
            if chance(0.5) { $0.pulse.heartRateBpm = real(); $0.pulse.confidence = real(); $0.pulse.probabilities = shares() }
        }
    }

    public mutating func window() -> Adreact_V1_TimelineWindow {
        .with {
            $0.lane = chance(0.9) ? pick(["voice", "face", "fused", "pulse"]) : text()
            $0.index = chance(0.8) ? UInt64(below(9)) : edge()
            $0.startNanoseconds = time()
            $0.endNanoseconds = time()
            $0.label = chance(0.9) ? pick(["positive", "neutral", "negative"]) : text()
            $0.probabilities = shares()
            $0.final = chance(0.8)
            $0.revision = chance(0.8) ? UInt64(below(3)) : edge()
            $0.retracted = chance(0.2)
            if chance(0.5) { $0.voice.probabilities = shares(); $0.voice.energyDbfs = real(); $0.voice.windowCount = UInt32(truncatingIfNeeded: edge()) }
            if chance(0.5) { $0.face.probabilities = shares(); $0.face.frameCount = UInt32(truncatingIfNeeded: edge()) }
            if chance(0.5) { $0.pulse.heartRateBpm = real(); $0.pulse.confidence = real(); $0.pulse.signalQuality = real() }
            $0.missing = [pick(["voice", text()])]
        }
    }
}
