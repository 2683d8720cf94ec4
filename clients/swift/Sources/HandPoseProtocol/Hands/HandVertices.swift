/// The 778 vertices of a hand's mesh, metres, in the frame of `HandPose.keypoints`.
///
/// They lie flat in memory, x, y, z after x, y, z, twelve bytes a vertex, as geometry sources and Metal buffers of
/// packed floats take them.
public struct HandVertices: Sendable, Equatable, RandomAccessCollection {
    /// x, y, z of each vertex, m; 2,334 numbers.
    public let flat: [Float]

    /// Vertices of one's own, for previews and tests.
    ///
    /// - Parameter flat: x, y, z of each vertex, m; nil unless they are whole vertices.
    public init?(flat: [Float]) {
        guard flat.count.isMultiple(of: 3) else { return nil }
        self.flat = flat
    }

    /// Number of the first vertex.
    public var startIndex: Int { 0 }

    /// Number of vertices.
    public var endIndex: Int { flat.count / 3 }

    /// One vertex, m.
    public subscript(index: Int) -> SIMD3<Float> {
        SIMD3(flat[3 * index], flat[3 * index + 1], flat[3 * index + 2])
    }

    init(from field: MessageField) throws(MalformedError) {
        flat = try field.float32(778, 3)
    }
}
