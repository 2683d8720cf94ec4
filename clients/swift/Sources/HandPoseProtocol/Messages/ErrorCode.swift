/// Why the daemon refused a request; what a program decides by. PROTOCOL.md, "Error codes", explains each.
public enum ErrorCode: String, Sendable, CaseIterable {
    /// A field is wrong, or a compressed crop is not an image of 256 x 256 pixels.
    case badRequest = "bad_request"
    /// The daemon speaks other versions of the protocol.
    case unsupportedVersion = "unsupported_version"
    /// The request has too many bytes.
    case tooLarge = "too_large"
    /// The network is not ready yet.
    case loading
    /// Too many crops wait.
    case busy
    /// A newer frame of the same source came; that one is answered.
    case superseded
    /// Older than its deadline when its turn came.
    case expired
    /// The network failed; if it persists, `status` says why.
    case engineError = "engine_error"
    /// The daemon is stopping.
    case draining
    /// A mistake in the daemon.
    case `internal`
}
