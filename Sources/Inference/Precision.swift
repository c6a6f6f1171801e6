import COpenVINO

/// What numbers a network computes in.
public enum Precision: String, Sendable, CaseIterable {
    /// 32-bit floats: the reference.
    case f32
    /// bfloat16: the range of 32-bit floats with 8 bits of mantissa, so between two and three digits. Only where the processor
    /// computes in it natively; elsewhere it would be emulated, which is many times slower than `f32`.
    case bf16
    /// `bf16` where it is native and faster, else `f32`. Results then differ between kinds of processor, in the third digit.
    ///
    /// Faster means a matrix unit (AMX). A processor with AVX-512 BF16 alone took 1.7 times as long in bf16 as in f32 for ViT-B/16.
    case automatic = "auto"

    /// What to compute in on a device.
    ///
    /// - Parameters:
    ///   - capabilities: The device's OPTIMIZATION_CAPABILITIES.
    ///   - processorFlags: What Linux says of the processor.
    /// - Returns: `f32` or `bf16`; nil if the device cannot do it natively.
    package func resolved(capabilities: [Substring], processorFlags: [Substring]) -> Precision? {
        let hasNativeBF16 = capabilities.contains("BF16")
        return switch self {
        case .f32: .f32
        case .bf16: hasNativeBF16 ? .bf16 : nil
        case .automatic: hasNativeBF16 && processorFlags.contains("amx_bf16") ? .bf16 : .f32
        }
    }
}

extension OpenVINO {
    /// The precision to compile with on this processor: `f32` or `bf16`.
    ///
    /// - Throws: `InferenceError` with code `.unsupported` if the processor cannot do natively what is wanted.
    func resolve(_ precision: Precision) throws(InferenceError) -> Precision {
        guard precision != .f32 else { return .f32 }
        let capabilities = try capabilities()
        let flags = try Self.processor().split { $0.isWhitespace }
        guard let resolved = precision.resolved(capabilities: capabilities.split(separator: " "), processorFlags: flags) else {
            throw InferenceError(
                .unsupported, path: path,
                detail: "this processor does not compute in \(precision.rawValue) natively (it has: \(capabilities)); use f32 or auto")
        }
        return resolved
    }

    /// What the processor is good at, in OpenVINO's words, apart by spaces: "BF16 FP32 INT8 ...".
    private func capabilities() throws(InferenceError) -> String {
        let core = try object(.unsupported, "start OpenVINO", ov_core_free) { ov_core_create($0) }
        var value: UnsafeMutablePointer<CChar>?
        try check(
            ov_core_get_property(core.pointer, "CPU", "OPTIMIZATION_CAPABILITIES", &value), .unsupported,
            "tell what this processor can do")
        defer { ov_free(value) }
        return value.map { String(cString: $0) } ?? ""
    }
}
