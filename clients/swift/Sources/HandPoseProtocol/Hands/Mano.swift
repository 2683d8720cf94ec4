/// MANO's parameters.
///
/// Rotations are axis-angle vectors: the direction is the axis, the length the angle in radians. Axes are the camera's:
/// x right, y down, z away from it.
public struct Mano: Sendable, Equatable {
    /// Rotation of the wrist relative to the camera, rad.
    public var globalOrient: SIMD3<Float>
    /// 15 rotations of the finger joints, each relative to its parent, rad, in the order of `HandRotation` from
    /// `indexMCP` on. The mean pose is in them (`flat_hand_mean=True` in SMPL-X).
    public var handPose: [SIMD3<Float>]
    /// 10 coefficients of the hand's shape, without unit.
    public var betas: [Float]

    /// Parameters of one's own, for previews and tests.
    public init(globalOrient: SIMD3<Float>, handPose: [SIMD3<Float>], betas: [Float]) {
        self.globalOrient = globalOrient
        self.handPose = handPose
        self.betas = betas
    }

    /// One of the rotations, rad.
    public subscript(rotation: HandRotation) -> SIMD3<Float> {
        rotation == .wrist ? globalOrient : handPose[rotation.rawValue - 1]
    }

    init(from fields: MessageMap) throws(MalformedError) {
        globalOrient = try fields.required("global_orient").vectors3(1)[0]
        handPose = try fields.required("hand_pose").vectors3(15)
        betas = try fields.required("betas").float32(10)
    }
}
