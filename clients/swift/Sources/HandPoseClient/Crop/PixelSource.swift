/// Pixels that are read where they lie: rows of bytes, with R, G and B at fixed places in each pixel.
struct PixelSource {
    let base: UnsafePointer<UInt8>
    let width: Int
    let height: Int
    let bytesPerRow: Int
    let bytesPerPixel: Int
    /// Places of R, G and B in a pixel.
    let red: Int
    let green: Int
    let blue: Int
}
