import Inference
import Testing

struct PrecisionTests {
    private static let path = Fixtures.tiny + "/model.onnx"

    @Test func automaticTakesBF16OnlyWithAMatrixUnit() {
        let bf16: [Substring] = ["BF16", "FP32", "INT8"]
        #expect(Precision.automatic.resolved(capabilities: bf16, processorFlags: ["avx512_bf16", "amx_bf16"]) == .bf16)
        #expect(Precision.automatic.resolved(capabilities: bf16, processorFlags: ["avx512_bf16"]) == .f32)
        #expect(Precision.automatic.resolved(capabilities: ["FP32"], processorFlags: ["amx_bf16"]) == .f32)
    }

    @Test func automaticTakesTheQuantisedNetworkWhereTheProcessorHasInstructionsForIt() {
        func resolved(_ flags: [Substring], hasQuantised: Bool) -> Precision? {
            Precision.automatic.resolved(capabilities: ["BF16", "FP32", "INT8"], processorFlags: flags, hasQuantised: hasQuantised)
        }
        #expect(resolved(["avx512_vnni"], hasQuantised: true) == .int8)
        #expect(resolved(["amx_bf16", "amx_int8"], hasQuantised: true) == .int8)
        #expect(resolved(["avx2"], hasQuantised: true) == .f32)
        #expect(resolved(["avx512_vnni"], hasQuantised: false) == .f32)
        #expect(Precision.f32.resolved(capabilities: [], processorFlags: ["avx512_vnni"], hasQuantised: true) == .f32)
    }

    @Test func int8WithoutAQuantisedNetworkIsRefused() throws {
        let folder = try ModelFolder.load(Fixtures.tiny)
        let error = try #require(throws: InferenceError.self) { try folder.compile(precision: .int8, cache: nil) }
        #expect(error.code == .unsupported && error.detail.contains("int8"))
    }

    @Test func aPrecisionThatIsNotNativeIsRefusedAndF32NeverIs() {
        #expect(Precision.bf16.resolved(capabilities: ["FP32", "FP16"], processorFlags: []) == nil)
        #expect(Precision.bf16.resolved(capabilities: ["FP32", "BF16"], processorFlags: []) == .bf16)
        #expect(Precision.f32.resolved(capabilities: [], processorFlags: []) == .f32)
    }

    @Test func theReferenceIsTheDefault() throws {
        #expect(try CompiledModel(modelAt: Self.path, cache: nil).precision == .f32)
    }

    /// On a processor without bf16 the refusal is what is tested.
    @Test func bf16IsCloseToTheReferenceOrRefused() throws {
        let golden = try Golden.load()
        do {
            let model = try CompiledModel(modelAt: Self.path, precision: .bf16, cache: nil)
            #expect(model.precision == .bf16)
            let logits = try model.run([golden.pictures(0..<8)])[0].values
            // The logits are of the order of 1; bf16 keeps 8 bits.
            #expect(zip(logits, golden.logits).allSatisfy { abs($0 - $1) < 0.05 })
            #expect(logits != golden.logits)
        } catch {
            #expect(error.code == .unsupported && error.detail.contains("bf16"))
        }
    }

    @Test func precisionsAreCachedApart() throws {
        let folder = try TemporaryFolder()
        let cache = CompilationCache(folder: folder.path)
        let golden = try Golden.load()
        _ = try CompiledModel(modelAt: Self.path, precision: .automatic, cache: cache)
        _ = try? CompiledModel(modelAt: Self.path, precision: .bf16, cache: cache)
        let logits = try CompiledModel(modelAt: Self.path, precision: .f32, cache: cache).run([golden.pictures(0..<8)])[0].values
        #expect(zip(logits, golden.logits).allSatisfy { abs($0 - $1) < 1e-5 })
    }
}
