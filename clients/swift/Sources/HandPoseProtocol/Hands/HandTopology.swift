/// What never changes from hand to hand: the mesh's triangles and the skeleton's bones.
public struct HandTopology: Sendable, Equatable {
    /// A bone, from the joint nearer to the wrist to the one farther out.
    public struct Bone: Sendable, Equatable {
        /// The end nearer to the wrist.
        public let from: Joint
        /// The end farther out.
        public let to: Joint
    }

    /// The 20 bones: from the wrist to each finger's base, and along the fingers.
    public static let bones: [Bone] = Joint.allCases.compactMap { joint in
        joint.parent.map { Bone(from: $0, to: joint) }
    }

    /// 1,538 triangles of a right hand: indices into `HandPose.vertices`, counter-clockwise seen from outside.
    public let faces: [SIMD3<Int32>]

    /// A topology of one's own, for previews and tests.
    public init(faces: [SIMD3<Int32>]) {
        self.faces = faces
    }

    /// The triangles of a hand, counter-clockwise seen from outside. The left hand's are the right's, reversed.
    public func faces(of side: Side) -> [SIMD3<Int32>] {
        side == .right ? faces : faces.map { SIMD3($0.z, $0.y, $0.x) }
    }
}
