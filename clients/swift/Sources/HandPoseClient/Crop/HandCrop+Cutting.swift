import HandPoseProtocol

extension HandCrop {
    /// Cuts the square around one hand out of an image, as the reference implementation cuts it: PROTOCOL.md, "How to
    /// cut a crop".
    ///
    /// - Parameters:
    ///   - image: the whole image.
    ///   - box: the detector's box. It may leave the image, partly or wholly: what lies outside is black.
    ///   - side: the person's own hand. It moves the crop by one pixel.
    ///   - rescale: side of the square over the box's longer side. The published weights were run with 2.5.
    /// - Throws: `invalidRequest` for a box that is none.
    public init(
        cutFrom image: RGBImage, box: DetectionBox, side: Side, rescale: Double = 2.5
    ) throws(HandPoseError) {
        let square = try box.square(rescale: rescale)
        let pixels = image.pixels.withUnsafeBufferPointer { bytes in
            let source = PixelSource(
                base: bytes.baseAddress.unsafelyUnwrapped, width: image.width, height: image.height,
                bytesPerRow: 3 * image.width, bytesPerPixel: 3, red: 0, green: 1, blue: 2)
            return CropSampler(source, square: square, side: side).pixels()
        }
        self.init(.rgb(pixels), side: side, box: square)
    }
}
