import CNettle

/// SHA-256 digests.
enum SHA256 {
    /// The size of a digest.
    static let byteCount = Int(SHA256_DIGEST_SIZE)

    /// - Returns: The digest of the content of files, one after the other, as 64 lower-case hexadecimal digits.
    /// - Throws: `InferenceError` with code `.notFound`.
    static func hexadecimalDigest(ofFilesAt paths: [String]) throws(InferenceError) -> String {
        var state = sha256_ctx()
        nettle_sha256_init(&state)
        for path in paths {
            let file = try ReadOnlyFile(path)
            while true {
                let bytes = try file.read(upTo: 1 << 20)
                if bytes.isEmpty { break }
                nettle_sha256_update(&state, bytes.count, bytes)
            }
        }
        return hexadecimal(finish(&state))
    }

    static func digest(of bytes: [UInt8]) -> [UInt8] {
        var state = sha256_ctx()
        nettle_sha256_init(&state)
        nettle_sha256_update(&state, bytes.count, bytes)
        return finish(&state)
    }

    static func hexadecimal(_ digest: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    private static func finish(_ state: inout sha256_ctx) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: byteCount)
        nettle_sha256_digest(&state, byteCount, &digest)
        return digest
    }
}
