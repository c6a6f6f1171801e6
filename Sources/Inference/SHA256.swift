import CNettle

/// The SHA-256 digest of a file.
enum SHA256 {
    /// - Returns: 64 lower-case hexadecimal digits.
    /// - Throws: `InferenceError` with code `.notFound`.
    static func hexadecimalDigest(ofFileAt path: String) throws(InferenceError) -> String {
        let file = try ReadOnlyFile(path)
        var state = sha256_ctx()
        nettle_sha256_init(&state)
        while true {
            let bytes = try file.read(upTo: 1 << 20)
            if bytes.isEmpty { break }
            nettle_sha256_update(&state, bytes.count, bytes)
        }
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_SIZE))
        nettle_sha256_digest(&state, digest.count, &digest)
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
