extension MessageField {
    /// The elements of a float32 array of exactly this shape, the last index running fastest.
    package func float32(_ shape: Int...) throws(MalformedError) -> [Float] {
        try elements(dtype: "<f4", shape: shape).map { Float(bitPattern: $0) }
    }

    /// The elements of an int32 array of exactly this shape.
    package func int32(_ shape: Int...) throws(MalformedError) -> [Int32] {
        try elements(dtype: "<i4", shape: shape).map { Int32(bitPattern: $0) }
    }

    /// The rows of a float32 array of shape (count, 3).
    package func vectors3(_ count: Int) throws(MalformedError) -> [SIMD3<Float>] {
        let flat = try float32(count, 3)
        return (0..<count).map { SIMD3(flat[3 * $0], flat[3 * $0 + 1], flat[3 * $0 + 2]) }
    }

    /// The rows of a float32 array of shape (count, 2).
    package func vectors2(_ count: Int) throws(MalformedError) -> [SIMD2<Float>] {
        let flat = try float32(count, 2)
        return (0..<count).map { SIMD2(flat[2 * $0], flat[2 * $0 + 1]) }
    }

    private func elements(dtype wanted: String, shape: [Int]) throws(MalformedError) -> [UInt32] {
        let fields = try map()
        let dtype = try fields.required("dtype")
        guard try dtype.string() == wanted else {
            throw MalformedError("\(dtype.path): expected \"\(wanted)\", got \(try dtype.string().debugDescription)")
        }
        let found = try fields.required("shape").ints()
        guard found == shape else {
            throw MalformedError("\(path): expected an array of shape \(shape), got shape \(found)")
        }
        let data = try fields.required("data")
        let bytes = try data.binary()
        let count = shape.reduce(1, *)
        guard bytes.count == 4 * count else {
            throw MalformedError("\(data.path): expected \(4 * count) bytes for shape \(shape), got \(bytes.count)")
        }
        return bytes.withUnsafeBytes { raw in
            (0..<count).map { UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)) }
        }
    }
}
