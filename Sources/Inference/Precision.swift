import COpenVINO

/// What numbers a network computes in.
public enum Precision: String, Sendable, CaseIterable {
    /// 32-bit floats: the reference.
    case f32
    /// bfloat16: the range of 32-bit floats with 8 bits of mantissa, so between two and three digits. Only where the processor
    /// computes in it natively; elsewhere it would be emulated, which is many times slower than `f32`.
    case bf16
    /// Whole numbers of 8 bits in the layers that carry the work: a quantised network, which the model's folder has beside the
    /// reference, measured on the same pictures (see its card).
    case int8
    /// `int8` where the folder has it and the processor has instructions for it (VNNI or AMX); else `bf16` where it is native and
    /// faster; else `f32`. Results then differ between kinds of processor, in the second or third digit.
    ///
    /// Faster means a matrix unit (AMX). A processor with AVX-512 BF16 alone took 1.7 times as long in bf16 as in f32 for ViT-B/16.
    case automatic = "auto"

    /// What to compute in on a device.
    ///
    /// - Parameters:
    ///   - capabilities: The device's OPTIMIZATION_CAPABILITIES.
    ///   - processorFlags: What Linux says of the processor.
    ///   - hasQuantised: Whether there is a quantised network.
    /// - Returns: `f32`, `bf16` or `int8`; nil if the device cannot do it natively, or there is no such network.
    package func resolved(capabilities: [Substring], processorFlags: [Substring], hasQuantised: Bool = false) -> Precision? {
        let hasNativeBF16 = capabilities.contains("BF16")
        let hasNativeInt8 = ["avx512_vnni", "avx_vnni", "amx_int8"].contains(where: processorFlags.contains)
        return switch self {
        case .f32: .f32
        case .bf16: hasNativeBF16 ? .bf16 : nil
        case .int8: hasQuantised ? .int8 : nil
        case .automatic:
            if hasQuantised, hasNativeInt8 { .int8 }
            else if hasNativeBF16, processorFlags.contains("amx_bf16") { .bf16 }
            else { .f32 }
        }
    }
}

extension OpenVINO {
    /// The precision to compile with on this processor: `f32`, `bf16` or `int8`.
    ///
    /// - Throws: `InferenceError` with code `.unsupported` if the processor cannot do natively what is wanted, or there is no
    ///   quantised network.
    func resolve(_ precision: Precision, hasQuantised: Bool) throws(InferenceError) -> Precision {
        guard precision != .f32 else { return .f32 }
        if precision == .int8, !hasQuantised {
            throw InferenceError(.unsupported, path: path, detail: "there is no int8 network beside this model; use f32 or auto")
        }
        let capabilities = try capabilities()
        let flags = try Self.processor().split { $0.isWhitespace }
        guard
            let resolved = precision.resolved(
                capabilities: capabilities.split(separator: " "), processorFlags: flags, hasQuantised: hasQuantised)
        else {
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
