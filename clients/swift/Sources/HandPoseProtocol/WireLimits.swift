/// The numbers of the wire that a sender must respect.
public enum WireLimits {
    /// Pixels along a crop's side.
    public static let cropSidePx = 256
    /// Bytes of a crop's pixels: 256 x 256 of R, G, B; also the most that a compressed crop may have.
    public static let cropBytes = cropSidePx * cropSidePx * 3
    /// Hands in one request.
    public static let maxHands = 8
    /// Bytes of a request's body.
    public static let maxRequestBytes = maxHands * cropBytes + 64 * 1024
    /// Bytes of a ZeroMQ frame; beyond it a connection ends.
    public static let maxFrameBytes = 2 * 1024 * 1024 - 1
    /// Unicode scalars of a source's name.
    public static let maxSourceLength = 64
    /// Any integer but a time: 2^53.
    public static let maxInteger = 1 << 53
    /// Width and height of an image, pixels.
    public static let maxImageSidePx = 1 << 16
    /// Milliseconds that a frame may be given to become too old.
    public static let maxDeadlineMs = 60_000.0
    /// How far, either way, a box or a principal point may lie, pixels.
    public static let maxCoordinatePx = Double(16 * maxImageSidePx)
    /// Focal lengths, pixels.
    public static let maxFocalPx = 1e7
}

/// The version of the wire that is spoken here; PROTOCOL.md, "Evolution", says what may change within it.
public let protocolVersion = 1
