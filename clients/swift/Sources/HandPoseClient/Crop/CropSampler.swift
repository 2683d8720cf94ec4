import HandPoseProtocol

/// Cuts a square out of an image and shrinks or enlarges it to a crop.
///
/// Its inner loops count along pointers: in a Debug build an iterator's or a buffer's each step is a call, and a hand of
/// a large frame would take many times longer.
struct CropSampler {
    private static let side = WireLimits.cropSidePx

    private let source: PixelSource
    private let columns: AxisTaps
    private let rows: AxisTaps

    /// - Parameters:
    ///   - source: the image.
    ///   - square: what to cut.
    ///   - side: the person's hand. The reference puts the square's centre on column 128, and for a left hand mirrors the
    ///     image before it cuts. The daemon mirrors the crop instead (x -> 255 - x), so a left hand's centre has to lie
    ///     on column 127 for the network to see the same pixels.
    init(_ source: PixelSource, square: CropBox, side: Side) {
        let step = square.side / Double(Self.side)
        let centreColumn = side == .right ? 128.0 : 127.0
        self.source = source
        columns = AxisTaps(start: square.centreX - centreColumn * step, step: step, length: source.width)
        rows = AxisTaps(start: square.centreY - 128 * step, step: step, length: source.height)
    }

    /// The crop: 256 x 256 x R, G, B.
    func pixels() -> [UInt8] {
        let narrow = narrowedRows()
        return [UInt8](unsafeUninitializedCapacity: WireLimits.cropBytes) { crop, count in
            narrow.withUnsafeBufferPointer { narrow in
                guard let narrow = narrow.baseAddress else { return crop.initialize(repeating: 0) }
                for (row, tap) in rows.taps.enumerated() {
                    write(tap, of: narrow, to: crop.baseAddress.unsafelyUnwrapped + row * 3 * Self.side)
                }
            }
            count = WireLimits.cropBytes
        }
    }

    /// The image's rows that are needed, each already of the crop's width: R, G, B of 256 columns.
    private func narrowedRows() -> [Float] {
        let count = rows.range.count * 3 * Self.side
        return [Float](unsafeUninitializedCapacity: count) { narrow, initialized in
            for (index, row) in rows.range.enumerated() {
                let out = narrow.baseAddress.unsafelyUnwrapped + index * 3 * Self.side
                narrowRow(source.base + row * source.bytesPerRow, to: out)
            }
            initialized = count
        }
    }

    private func narrowRow(_ row: UnsafePointer<UInt8>, to out: UnsafeMutablePointer<Float>) {
        var out = out
        let (bytesPerPixel, redAt, greenAt, blueAt) = (source.bytesPerPixel, source.red, source.green, source.blue)
        for tap in columns.taps {
            tap.weights.withUnsafeBufferPointer { weights in
                var (red, green, blue) = (Float(0), Float(0), Float(0))
                var pixel = row + tap.first * bytesPerPixel
                var index = 0
                let count = weights.count
                while index < count {
                    let weight = weights.baseAddress.unsafelyUnwrapped[index]
                    red += weight * Float(pixel[redAt])
                    green += weight * Float(pixel[greenAt])
                    blue += weight * Float(pixel[blueAt])
                    pixel += bytesPerPixel
                    index += 1
                }
                (out[0], out[1], out[2]) = (red, green, blue)
            }
            out += 3
        }
    }

    private func write(_ tap: AxisTaps.Tap, of narrow: UnsafePointer<Float>, to crop: UnsafeMutablePointer<UInt8>) {
        let stride = 3 * Self.side
        let first = narrow + (tap.first - rows.range.lowerBound) * stride
        tap.weights.withUnsafeBufferPointer { weights in
            let count = weights.count
            var column = 0
            while column < stride {
                var sum = Float(0)
                var place = first + column
                var index = 0
                while index < count {
                    sum += weights.baseAddress.unsafelyUnwrapped[index] * place.pointee
                    place += stride
                    index += 1
                }
                crop[column] = UInt8(min(max(sum, 0), 255).rounded(.toNearestOrEven))
                column += 1
            }
        }
    }
}
