import Testing
import Wire

@Suite struct WireMessageTests {
    private let message = WireMessage(
        Envelope.with {
            $0.kind = .data
            $0.session = "s"
            $0.track = "video"
            $0.segment = 3
            $0.sequence = 7
            $0.mediaStartNanoseconds = -21_333_333
            $0.flags = 5
        }, body: [1, 2, 3])

    @Test func aMessageComesBackAsItWasSent() throws {
        let read = try WireMessage(frames: [message.envelopeBytes, message.body])
        #expect(read.envelope == message.envelope)
        #expect(read.body == message.body)
        #expect(read.byteCount == message.byteCount)
    }

    @Test(arguments: [0, 2, 999] as [UInt32]) func anotherVersionIsRefused(version: UInt32) throws {
        var envelope = message.envelope
        envelope.version = version
        let bytes: [UInt8] = try envelope.serializedBytes()
        #expect(throws: WireError.version(version)) { try WireMessage(frames: [bytes, []]) }
    }

    @Test func otherShapesAreRefused() {
        #expect(throws: WireError.self) { try WireMessage(frames: []) }
        #expect(throws: WireError.self) { try WireMessage(frames: [message.envelopeBytes]) }
        #expect(throws: WireError.self) { try WireMessage(frames: [message.envelopeBytes, [], []]) }
        #expect(throws: WireError.self) { try WireMessage(frames: [[UInt8](repeating: 0xff, count: 40), []]) }
        #expect(throws: WireError.self) { try WireMessage(frames: [[UInt8](repeating: 0, count: WireMessage.maximumEnvelopeBytes + 1), []]) }
    }

    @Test(arguments: [Int64.max, .min, 1 << 60]) func timesWhoseSumsWouldOverflowAreRefused(time: Int64) {
        for field in [\Envelope.mediaStartNanoseconds, \.mediaDurationNanoseconds] {
            var envelope = message.envelope
            envelope[keyPath: field] = time
            let hostile = WireMessage(envelope)
            #expect(throws: WireError.self) { try WireMessage(frames: [hostile.envelopeBytes, []]) }
        }
    }

    @Test func namesOfAnyLengthAreRefused() {
        var envelope = message.envelope
        envelope.session = String(repeating: "x", count: WireMessage.maximumNameBytes + 1)
        let long = WireMessage(envelope)
        #expect(throws: WireError.self) { try WireMessage(frames: [long.envelopeBytes, []]) }
    }

    /// Bytes turned at random in real messages, and bodies read as every kind of message: refused or read, never a crash.
    @Test func damagedMessagesAreReadOrRefused() {
        var state: UInt64 = 2026
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        var read = 0
        for _ in 0..<50_000 {
            var bytes = message.envelopeBytes
            for _ in 0...random(4) {
                switch random(3) {
                case 0: bytes[random(bytes.count)] = UInt8(random(256))
                case 1: bytes.insert(UInt8(random(256)), at: random(bytes.count + 1))
                default: if bytes.count > 1 { bytes.remove(at: random(bytes.count)) }
                }
            }
            guard let survivor = try? WireMessage(frames: [bytes, bytes]) else { continue }
            read += 1
            _ = try? survivor.decode(Adreact_V1_Info.self)
            _ = try? survivor.decode(Adreact_V1_Subscribe.self)
            _ = try? survivor.decode(Adreact_V1_Heartbeat.self)
            _ = try? survivor.decode(Adreact_V1_FaceFrame.self)
        }
        #expect(read > 100, "the damage is too great to test anything")
    }
}
