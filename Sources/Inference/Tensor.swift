/// Numbers with a shape, in row-major order (the last dimension is contiguous).
public struct Tensor: Sendable, Equatable {
    /// The size of each dimension. Empty for a single number.
    public var shape: [Int]
    /// As many numbers as the product of `shape`; `CompiledModel.run` checks it.
    public var values: [Float]

    public init(shape: [Int], values: [Float]) {
        self.shape = shape
        self.values = values
    }

    /// How many numbers a tensor of this shape holds; nil if there is no such tensor (a negative size, or too many).
    public static func valueCount(of shape: [Int]) -> Int? {
        var count = 1
        for size in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: size)
            guard size >= 0, !overflow else { return nil }
            count = product
        }
        return count
    }
}

/// An input or an output of a model.
public struct TensorDescription: Sendable, Equatable {
    /// The name in the model's file; any one of them if there are several, so rely on the order rather.
    public let name: String
    /// The size of each dimension; -1 stands for any size. nil if even the number of dimensions is open.
    public let shape: [Int]?

    public init(name: String, shape: [Int]?) {
        self.name = name
        self.shape = shape
    }

    /// Whether a tensor of this shape fits.
    public func accepts(_ other: [Int]) -> Bool {
        guard let shape else { return true }
        return shape.count == other.count && zip(shape, other).allSatisfy { $0 == -1 || $0 == $1 }
    }
}
