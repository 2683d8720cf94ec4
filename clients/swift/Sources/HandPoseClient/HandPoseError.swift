import HandPoseProtocol

/// What went wrong. Decide by `code`; the text is for people.
public struct HandPoseError: Error, Sendable, CustomStringConvertible {
    /// What a program decides by.
    public enum Code: Sendable, Equatable, CustomStringConvertible {
        /// The daemon answered that it will not: busy, loading, superseded, expired and others.
        case refused(ErrorCode)
        /// No reply came in time. The client stays usable; a reply that comes late is dropped.
        case noReply
        /// What came is not of this protocol.
        case badReply
        /// The daemon would refuse this request; it was not sent.
        case invalidRequest
        /// Nothing can be connected to by this address.
        case badAddress
        /// These keys are none, or cannot be read safely.
        case badKeys
        /// Somebody else could listen in the daemon's place: its directory is not this user's alone.
        case notPrivate
        /// The task that asked was cancelled. The client stays usable.
        case cancelled
        /// The client was closed.
        case closed
        /// ZeroMQ or the system failed, for want of file descriptors for example.
        case socket

        /// The word, of a refusal the daemon's.
        public var description: String {
            switch self {
            case .refused(let code): code.rawValue
            case .noReply: "no_reply"
            case .badReply: "bad_reply"
            case .invalidRequest: "invalid_request"
            case .badAddress: "bad_address"
            case .badKeys: "bad_keys"
            case .notPrivate: "not_private"
            case .cancelled: "cancelled"
            case .closed: "closed"
            case .socket: "socket"
            }
        }
    }

    /// What a program decides by.
    public let code: Code
    /// One sentence.
    public let message: String
    /// Whether the same request may succeed a moment later.
    public let retryable: Bool
    /// What caused it, where something did: a `Refusal`, a `MalformedError`, an `InvalidRequestError`.
    public let underlying: (any Error)?

    /// The sentence, of a refusal with the daemon's word before it.
    public var description: String {
        if case .refused(let code) = code { "\(code.rawValue): \(message)" } else { message }
    }

    init(_ code: Code, _ message: String, retryable: Bool = false, underlying: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.retryable = retryable
        self.underlying = underlying
    }
}

extension HandPoseError {
    init(_ refusal: Refusal) {
        self.init(.refused(refusal.code), refusal.message, retryable: refusal.retryable, underlying: refusal)
    }

    init(_ error: MalformedError) {
        self.init(.badReply, error.description, underlying: error)
    }

    init(_ error: InvalidRequestError) {
        self.init(.invalidRequest, error.description, underlying: error)
    }

    static var cancelled: HandPoseError { HandPoseError(.cancelled, "the task was cancelled") }
    static var closed: HandPoseError { HandPoseError(.closed, "the client is closed") }
}
