import HandPoseProtocol

/// Cuts a square out of an image and shrinks or enlarges it to a crop.
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
        for tap in columns.taps {
            var (red, green, blue) = (Float(0), Float(0), Float(0))
            var pixel = row + tap.first * source.bytesPerPixel
            for weight in tap.weights {
                red += weight * Float(pixel[source.red])
                green += weight * Float(pixel[source.green])
                blue += weight * Float(pixel[source.blue])
                pixel += source.bytesPerPixel
            }
            (out[0], out[1], out[2]) = (red, green, blue)
            out += 3
        }
    }

    private func write(_ tap: AxisTaps.Tap, of narrow: UnsafeBufferPointer<Float>, to crop: UnsafeMutablePointer<UInt8>)
    {
        let stride = 3 * Self.side
        let first = (tap.first - rows.range.lowerBound) * stride
        for column in 0..<stride {
            var sum = Float(0)
            var place = first + column
            for weight in tap.weights {
                sum += weight * narrow[place]
                place += stride
            }
            crop[column] = UInt8(min(max(sum, 0), 255).rounded(.toNearestOrEven))
        }
    }
}
