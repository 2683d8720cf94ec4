/// The network's own camera: weak perspective on the crop.
///
/// For the camera of the whole image see `HandPose.translation`.
public struct CropCamera: Sendable, Equatable {
    /// Scale, without unit.
    public var scale: Float
    /// Offset to the right, m.
    public var tx: Float
    /// Offset downwards, m.
    public var ty: Float

    /// A camera of one's own, for previews and tests.
    public init(scale: Float, tx: Float, ty: Float) {
        self.scale = scale
        self.tx = tx
        self.ty = ty
    }

    init(from field: MessageField) throws(MalformedError) {
        let numbers = try field.float32(3)
        (scale, tx, ty) = (numbers[0], numbers[1], numbers[2])
    }
}
