/// The pose of one hand: where it is, how it is bent, and how sure anybody is.
///
/// Units are metres, radians and pixels. Axes are the camera's, as in OpenCV: x right, y down, z away from it; see
/// `SceneAxes` for SceneKit and RealityKit. A left hand is a left hand in every field. What was not wanted, or is not
/// known, is nil. When a hand was seen is said by the event or reply that it is part of.
public struct HandPose: Sendable, Equatable {
    /// Which hand of the person it is.
    public var side: Side
    /// How sure the detector was of the side, 0 to 1, as the sender said it.
    public var sideScore: Double?
    /// How sure the detector was of the hand, 0 to 1, as the sender said it.
    public var score: Double?
    /// The detector's number for this hand over time, as the sender said it.
    public var track: Int?
    /// 21 joints and finger tips in the order of `Joint`, m. Not relative to the wrist: see `keypointsFromWrist`.
    public var keypoints: [SIMD3<Float>]?
    /// The mesh, m, in the frame of `keypoints`; nil in events without a mesh.
    public var vertices: HandVertices?
    /// Weak perspective on the crop.
    public var camera: CropCamera?
    /// `keypoints` in the whole image, pixels from its top left; needs the crop's box and the image's size.
    public var keypoints2D: [SIMD2<Float>]?
    /// Added to `keypoints` or `vertices` it gives coordinates relative to the camera, m. The depth is an estimate from
    /// the usual size of a hand and the focal length. Needs the crop's box and the image's size.
    public var translation: SIMD3<Float>?
    /// The focal length that `translation` was reckoned with, pixels.
    public var focalPx: Double?
    /// The parameters behind all this; nil in events without a mesh.
    public var mano: Mano?

    /// A hand of one's own, for previews and tests.
    public init(
        side: Side, sideScore: Double? = nil, score: Double? = nil, track: Int? = nil, keypoints: [SIMD3<Float>]? = nil,
        vertices: HandVertices? = nil, camera: CropCamera? = nil, keypoints2D: [SIMD2<Float>]? = nil,
        translation: SIMD3<Float>? = nil, focalPx: Double? = nil, mano: Mano? = nil
    ) {
        self.side = side
        self.sideScore = sideScore
        self.score = score
        self.track = track
        self.keypoints = keypoints
        self.vertices = vertices
        self.camera = camera
        self.keypoints2D = keypoints2D
        self.translation = translation
        self.focalPx = focalPx
        self.mano = mano
    }

    init(from fields: MessageMap) throws(MalformedError) {
        side = try fields.required("side").word(Side.self)
        sideScore = try fields.optional("side_score")?.double()
        score = try fields.optional("score")?.double()
        track = try fields.optional("track")?.int()
        keypoints = try fields.optional("keypoints")?.vectors3(Joint.allCases.count)
        if let field = fields.optional("vertices") { vertices = try HandVertices(from: field) }
        if let field = fields.optional("camera") { camera = try CropCamera(from: field) }
        keypoints2D = try fields.optional("keypoints_2d")?.vectors2(Joint.allCases.count)
        translation = try fields.optional("translation")?.vector3()
        focalPx = try fields.optional("focal_px")?.double()
        if let field = fields.optional("mano") { mano = try Mano(from: field.map()) }
    }
}

extension HandPose {
    /// One key point, m; nil when they were not wanted.
    public subscript(joint: Joint) -> SIMD3<Float>? { keypoints?[joint.rawValue] }

    /// `keypoints` relative to the wrist, m.
    public var keypointsFromWrist: [SIMD3<Float>]? {
        keypoints.map { points in points.map { $0 - points[Joint.wrist.rawValue] } }
    }

    /// How far two key points are apart, m.
    public func distance(_ one: Joint, _ other: Joint) -> Float? {
        guard let here = self[one], let there = self[other] else { return nil }
        let between = here - there
        return (between * between).sum().squareRoot()
    }
}

extension MessageField {
    /// The numbers of a float32 array of shape (3).
    fileprivate func vector3() throws(MalformedError) -> SIMD3<Float> {
        SIMD3(try float32(3))
    }
}
