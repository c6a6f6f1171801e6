/// A rotation of space.
package struct Rotation: Sendable, Equatable {
    /// The unit quaternion w + xi + yj + zk.
    private let w: Double
    private let v: SIMD3<Double>

    /// The rotation that, with a shift and a scale, brings points closest to others: the least sum of squared distances. B. K. P.
    /// Horn, Closed-form solution of absolute orientation using unit quaternions, J. Opt. Soc. Am. A 4 (1987) 629.
    ///
    /// - Returns: nil if there are not as many of both, or if they do not determine a rotation: not numbers, or all one point.
    package init?(from points: [SIMD3<Double>], to others: [SIMD3<Double>]) {
        guard points.count == others.count, !points.isEmpty else { return nil }
        let count = Double(points.count)
        let middle = points.reduce(SIMD3(), +) / count
        let otherMiddle = others.reduce(SIMD3(), +) / count
        // The sums of products: column j holds those with the other points' coordinate j.
        var s = [SIMD3<Double>](repeating: SIMD3(), count: 3)
        for (point, other) in zip(points, others) {
            for j in 0..<3 { s[j] += (point - middle) * (other - otherMiddle)[j] }
        }
        let (xx, xy, xz) = (s[0].x, s[1].x, s[2].x)
        let (yx, yy, yz) = (s[0].y, s[1].y, s[2].y)
        let (zx, zy, zz) = (s[0].z, s[1].z, s[2].z)
        let matrix = [
            [xx + yy + zz, yz - zy, zx - xz, xy - yx],
            [yz - zy, xx - yy - zz, xy + yx, zx + xz],
            [zx - xz, xy + yx, yy - xx - zz, yz + zy],
            [xy - yx, zx + xz, yz + zy, zz - xx - yy],
        ]
        let entries = matrix.joined()
        guard entries.allSatisfy(\.isFinite), entries.contains(where: { $0 != 0 }) else { return nil }
        let q = Self.principalVector(of: matrix)
        w = q[0]
        v = SIMD3(q[1], q[2], q[3])
    }

    package func turned(_ point: SIMD3<Double>) -> SIMD3<Double> {
        let t = 2 * Self.cross(v, point)
        return point + w * t + Self.cross(v, t)
    }

    private static func cross(_ a: SIMD3<Double>, _ b: SIMD3<Double>) -> SIMD3<Double> {
        SIMD3(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x)
    }

    /// The eigenvector of the largest eigenvalue of a symmetric matrix, of length 1, by Jacobi's rotations (Golub and Van Loan,
    /// Matrix Computations, 8.5).
    private static func principalVector(of symmetric: [[Double]]) -> [Double] {
        let size = symmetric.count
        var a = symmetric
        var vectors = (0..<size).map { row in (0..<size).map { $0 == row ? 1.0 : 0.0 } }
        let scale = a.joined().map(abs).max() ?? 0
        // Convergence is quadratic: some six sweeps do.
        for _ in 0..<30 {
            var largestOffDiagonal = 0.0
            for p in 0..<size - 1 {
                for q in p + 1..<size {
                    largestOffDiagonal = max(largestOffDiagonal, abs(a[p][q]))
                    guard abs(a[p][q]) > 1e-300 else { continue }
                    let theta = (a[q][q] - a[p][p]) / (2 * a[p][q])
                    let t = (theta < 0 ? -1 : 1) / (abs(theta) + (theta * theta + 1).squareRoot())
                    let cosine = 1 / (t * t + 1).squareRoot()
                    let sine = t * cosine
                    for k in 0..<size {
                        (a[k][p], a[k][q]) = (cosine * a[k][p] - sine * a[k][q], sine * a[k][p] + cosine * a[k][q])
                    }
                    for k in 0..<size {
                        (a[p][k], a[q][k]) = (cosine * a[p][k] - sine * a[q][k], sine * a[p][k] + cosine * a[q][k])
                        (vectors[k][p], vectors[k][q]) = (
                            cosine * vectors[k][p] - sine * vectors[k][q], sine * vectors[k][p] + cosine * vectors[k][q]
                        )
                    }
                }
            }
            if largestOffDiagonal <= 1e-15 * scale { break }
        }
        var largest = 0
        for index in 1..<size where a[index][index] > a[largest][largest] { largest = index }
        return vectors.map { $0[largest] }
    }
}
