import Foundation

func rootMeanSquare(_ samples: [Float]) -> Float {
    (samples.reduce(0) { $0 + $1 * $1 } / Float(max(samples.count, 1))).squareRoot()
}

func pow10(_ exponent: Float) -> Float { powf(10, exponent) }
