#if canImport(CoreVideo)
    import CoreMedia
    import CoreVideo
    import HandPoseClient
    import Testing

    /// What a Mac's camera delivers: pixel buffers, and times of Core Media's host clock.
    @Suite struct CameraTests {
        @Test("A pixel buffer with padded rows gives the same crop as an image of its pixels")
        func sameCrop() throws {
            let image = try noise(width: 331, height: 240)
            try withPixelBuffer(of: image, paddingBytes: 52) { buffer in
                for box in [
                    DetectionBox(x1: 130, y1: 100, x2: 190, y2: 150), DetectionBox(x1: -40, y1: 150, x2: 500, y2: 300),
                ] {
                    for side in [Side.left, .right] {
                        let same =
                            try HandCrop(cutFrom: buffer, box: box, side: side)
                            == HandCrop(cutFrom: image, box: box, side: side)
                        #expect(same, "\(box), \(side)")
                    }
                }
            }
        }

        @Test("A format that is not BGRA is refused by its name, with the setting that mends it")
        func otherFormat() throws {
            var made: CVPixelBuffer?
            let status = CVPixelBufferCreate(
                nil, 64, 48, kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange, nil, &made)
            try #require(status == kCVReturnSuccess)
            let buffer = try #require(made)
            let error = #expect(throws: HandPoseError.self) {
                try HandCrop(cutFrom: buffer, box: DetectionBox(x1: 1, y1: 1, x2: 9, y2: 9), side: .left)
            }
            #expect(error?.code == .invalidRequest)
            #expect(error?.message.hasPrefix("pixel buffer: expected the format BGRA, got 420v") == true)
            #expect(error?.message.contains("videoSettings") == true)
        }

        @Test("The host clock is the clock of the wire")
        func hostTime() {
            let beforeNs = MonotonicClock.nowNs()
            let hostNs = MonotonicClock.ns(hostTime: CMClockGetTime(CMClockGetHostTimeClock()))
            let afterNs = MonotonicClock.nowNs()
            // They may count in steps of their own.
            #expect(beforeNs - 1_000_000...afterNs + 1_000_000 ~= hostNs)
        }

        @Test("A time of any scale is told in nanoseconds, rounded")
        func scales() {
            #expect(MonotonicClock.ns(hostTime: CMTime(value: 270_005, timescale: 90_000)) == 3_000_055_556)
            #expect(MonotonicClock.ns(hostTime: CMTime(value: 7, timescale: 1_000_000_000)) == 7)
        }

        /// Runs a block with a BGRA buffer of an image's pixels. What lies between its rows is white.
        private func withPixelBuffer(
            of image: RGBImage, paddingBytes: Int, _ body: (CVPixelBuffer) throws -> Void
        ) throws {
            let bytesPerRow = 4 * image.width + paddingBytes
            var bytes = [UInt8](repeating: 255, count: bytesPerRow * image.height)
            for (index, value) in image.pixels.enumerated() {
                let (pixel, channel) = (index / 3, index % 3)
                bytes[pixel / image.width * bytesPerRow + pixel % image.width * 4 + 2 - channel] = value
            }
            try bytes.withUnsafeMutableBytes { memory in
                var made: CVPixelBuffer?
                let status = CVPixelBufferCreateWithBytes(
                    nil, image.width, image.height, kCVPixelFormatType_32BGRA, try #require(memory.baseAddress),
                    bytesPerRow, nil, nil, nil, &made)
                try #require(status == kCVReturnSuccess)
                try body(try #require(made))
            }
        }
    }
#endif
