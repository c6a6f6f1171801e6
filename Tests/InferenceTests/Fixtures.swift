import Foundation
import Inference

enum Fixtures {
    /// The model folder made by `make_fixtures.py`.
    static let tiny = folder + "/tiny"
    static let golden = folder + "/tiny-golden.json"
    /// The networks fetched by `deploy/setup.sh`.
    static let models = (ProcessInfo.processInfo.environment["ADREACT_PREFIX"] ?? "/opt/adreact") + "/models"

    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().path() + "Fixtures"

    /// Numbers from 0 to 1 without a visible period (multiples of the golden ratio).
    static func pattern(count: Int) -> [Float] {
        (0..<count).map { Float((Double($0) * 0.618033988749895).truncatingRemainder(dividingBy: 1)) }
    }
}

/// Eight pictures and the logits that the ONNX reference evaluator computes from them.
struct Golden: Decodable {
    let pictures: [Float]
    let logits: [Float]

    static func load() throws -> Golden {
        try JSONDecoder().decode(Golden.self, from: Data(contentsOf: URL(filePath: Fixtures.golden)))
    }

    func pictures(_ range: Range<Int>) -> Tensor {
        let valuesPerPicture = 3 * 12 * 16
        return Tensor(
            shape: [range.count, 3, 12, 16],
            values: Array(pictures[range.lowerBound * valuesPerPicture..<range.upperBound * valuesPerPicture]))
    }
}

/// A new folder that is deleted with its last use.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path() + "adreact-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    @discardableResult
    func write(_ content: Data, to name: String) throws -> String {
        let file = path + "/" + name
        try content.write(to: URL(filePath: file))
        return file
    }

    /// Makes this a copy of the tiny model, its card changed by `edit`.
    func copyTinyModel(edit: (inout [String: Any]) -> Void = { _ in }) throws {
        try write(Data(contentsOf: URL(filePath: Fixtures.tiny + "/model.onnx")), to: "model.onnx")
        let json = try Data(contentsOf: URL(filePath: Fixtures.tiny + "/model.json"))
        var card = try JSONSerialization.jsonObject(with: json) as? [String: Any] ?? [:]
        edit(&card)
        try write(JSONSerialization.data(withJSONObject: card), to: "model.json")
    }
}
