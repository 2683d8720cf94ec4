/// A whole image in memory: rows of R, G, B bytes from the top, nothing between them; not mirrored.
public struct RGBImage: Sendable, Equatable {
    /// 3 x `width` x `height` bytes.
    public let pixels: [UInt8]
    /// From left to right, px.
    public let width: Int
    /// From top to bottom, px.
    public let height: Int

    /// An image.
    ///
    /// - Throws: `invalidRequest` when the bytes do not fill the size, or there are none.
    public init(pixels: [UInt8], width: Int, height: Int) throws(HandPoseError) {
        guard width > 0, height > 0, width <= Int.max / 3 / height, pixels.count == 3 * width * height else {
            throw HandPoseError(
                .invalidRequest, "image: expected 3 bytes for each of \(width) x \(height) pixels, got \(pixels.count)")
        }
        self.pixels = pixels
        self.width = width
        self.height = height
    }
}
