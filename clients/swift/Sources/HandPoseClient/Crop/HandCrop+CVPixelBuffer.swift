#if canImport(CoreVideo)
    import CoreVideo
    import HandPoseProtocol

    extension HandCrop {
        /// Cuts the square around one hand out of a camera's frame, by the same rule and the same code as out of an
        /// `RGBImage`. Only the pixels around the hand are read, where they lie.
        ///
        /// - Parameters:
        ///   - pixelBuffer: the whole frame, `kCVPixelFormatType_32BGRA`, not mirrored.
        ///   - box: the detector's box, px from the frame's top left (Vision counts from the bottom left). It may leave
        ///     the frame: what lies outside is black.
        ///   - side: the person's own hand. It moves the crop by one pixel.
        ///   - rescale: side of the square over the box's longer side. The published weights were run with 2.5.
        /// - Throws: `invalidRequest` for another pixel format or a box that is none, and for a buffer that cannot be
        ///   read.
        public init(
            cutFrom pixelBuffer: CVPixelBuffer, box: DetectionBox, side: Side, rescale: Double = 2.5
        ) throws(HandPoseError) {
            let square = try box.square(rescale: rescale)
            let format = CVPixelBufferGetPixelFormatType(pixelBuffer)
            guard format == kCVPixelFormatType_32BGRA else {
                throw HandPoseError(
                    .invalidRequest,
                    "pixel buffer: expected the format BGRA, got \(fourCharacters(format)); set the videoSettings of your "
                        + "AVCaptureVideoDataOutput to [kCVPixelBufferPixelFormatTypeKey: kCVPixelFormatType_32BGRA]")
            }
            guard CVPixelBufferLockBaseAddress(pixelBuffer, .readOnly) == kCVReturnSuccess else {
                throw HandPoseError(.invalidRequest, "pixel buffer: expected one that can be locked for reading")
            }
            defer { CVPixelBufferUnlockBaseAddress(pixelBuffer, .readOnly) }
            guard let base = CVPixelBufferGetBaseAddress(pixelBuffer) else {
                throw HandPoseError(.invalidRequest, "pixel buffer: expected one with an address in memory")
            }
            let source = PixelSource(
                base: UnsafePointer(base.assumingMemoryBound(to: UInt8.self)),
                width: CVPixelBufferGetWidth(pixelBuffer), height: CVPixelBufferGetHeight(pixelBuffer),
                bytesPerRow: CVPixelBufferGetBytesPerRow(pixelBuffer), bytesPerPixel: 4, red: 2, green: 1, blue: 0)
            self.init(.rgb(CropSampler(source, square: square, side: side).pixels()), side: side, box: square)
        }
    }
#endif
