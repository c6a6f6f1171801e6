import SwiftProtobuf

public typealias Envelope = Adreact_V1_Envelope
public typealias BodyKind = Adreact_V1_Kind

/// One message of the stream protocol: an envelope and a body, each one frame on the wire.
///
/// The serialised envelope is kept, so that a message is encoded once however many readers it goes to.
public struct WireMessage: Sendable {
    /// Version of the protocol that this library speaks.
    public static let protocolVersion: UInt32 = 1
    /// Longest accepted envelope: names and numbers only.
    public static let maximumEnvelopeBytes = 16 * 1024
    /// Longest accepted body: larger than any sane compressed packet.
    public static let maximumBodyBytes = 64 * 1024 * 1024
    /// Longest accepted session or track name, in UTF-8 bytes.
    public static let maximumNameBytes = 256

    public let envelope: Envelope
    public let envelopeBytes: [UInt8]
    public let body: [UInt8]

    public var byteCount: Int { envelopeBytes.count + body.count }

    /// A message to send. The version is filled in.
    public init(_ envelope: Envelope, body: [UInt8] = []) {
        var stamped = envelope
        stamped.version = Self.protocolVersion
        self.envelope = stamped
        self.body = body
        do {
            envelopeBytes = try stamped.serializedBytes()
        } catch {
            // proto3 without required fields: encoding has no way to fail.
            preconditionFailure("envelope cannot be encoded: \(error)")
        }
    }

    /// A message with a protobuf body.
    public init(_ envelope: Envelope, body: some SwiftProtobuf.Message) {
        let bytes: [UInt8]? = try? body.serializedBytes()
        self.init(envelope, body: bytes ?? [])
    }

    /// A received message.
    /// - Throws: `WireError` when the frames are not a message of this protocol version.
    public init(frames: [[UInt8]]) throws(WireError) {
        guard frames.count == 2 else { throw .malformed("\(frames.count) frames where 2 are expected") }
        guard frames[0].count <= Self.maximumEnvelopeBytes else { throw .malformed("envelope of \(frames[0].count) bytes") }
        guard frames[1].count <= Self.maximumBodyBytes else { throw .malformed("body of \(frames[1].count) bytes") }
        let envelope: Envelope
        do { envelope = try Envelope(serializedBytes: frames[0]) } catch { throw .malformed("envelope is not protobuf") }
        guard envelope.version == Self.protocolVersion else { throw .version(envelope.version) }
        guard envelope.session.utf8.count <= Self.maximumNameBytes, envelope.track.utf8.count <= Self.maximumNameBytes else {
            throw .malformed("session or track name too long")
        }
        // So that no sum of two times from outside overflows.
        guard [envelope.mediaStartNanoseconds, envelope.mediaDurationNanoseconds].allSatisfy({ $0.magnitude < 1 << 60 }) else {
            throw .malformed("media time out of range")
        }
        self.envelope = envelope
        envelopeBytes = frames[0]
        body = frames[1]
    }

    /// The body as a protobuf message.
    /// - Throws: `WireError.malformed`.
    public func decode<M: SwiftProtobuf.Message>(_ type: M.Type) throws(WireError) -> M {
        do { return try M(serializedBytes: body) } catch { throw .malformed("body of kind \(envelope.kind) is not \(M.protoMessageName)") }
    }
}

public enum WireError: Error, Equatable, Sendable, CustomStringConvertible {
    case malformed(String)
    case version(UInt32)
    /// A kind that this side of a connection does not expect.
    case unexpected(Int)
    /// More than a limit allows.
    case refused(String)

    public var description: String {
        switch self {
        case .malformed(let what): "malformed message: \(what)"
        case .version(let version): "protocol version \(version), this program speaks \(WireMessage.protocolVersion)"
        case .unexpected(let kind): "unexpected message kind \(kind)"
        case .refused(let what): "refused \(what)"
        }
    }
}
