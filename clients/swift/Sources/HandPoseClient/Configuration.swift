/// Where the daemon is, who asks it, and how long to wait for it.
public struct HandPoseConfiguration: Sendable, Equatable {
    /// ZeroMQ address of the daemon's requests, `ipc://PATH` or `tcp://HOST:PORT`; nil: where a daemon of this user listens
    /// by default.
    public var requestsAddress: String?
    /// ZeroMQ address of its events; nil: beside the default address of requests, over TCP the next port, else what the
    /// daemon says.
    public var eventsAddress: String?
    /// What the frames sent by this client come from; names their events, and of two frames of one source that wait
    /// only the newer is computed. 1 to 64 printable characters; nil: a name for this client alone.
    public var source: String?
    /// How long a call may wait for its reply, unless it says otherwise.
    public var timeout: Duration
    /// For a daemon that asks for them, over TCP; one that does not know them never answers.
    public var keys: ClientKeys?

    /// A configuration; see the properties.
    public init(
        requestsAddress: String? = nil, eventsAddress: String? = nil, source: String? = nil,
        timeout: Duration = .seconds(2), keys: ClientKeys? = nil
    ) {
        self.requestsAddress = requestsAddress
        self.eventsAddress = eventsAddress
        self.source = source
        self.timeout = timeout
        self.keys = keys
    }

    /// Of a daemon with a run directory of its own (`wilor-sidecar serve --run-dir`).
    public init(runDirectory: String, source: String? = nil, timeout: Duration = .seconds(2)) {
        self.init(
            requestsAddress: RunDirectory.requestsAddress(in: runDirectory),
            eventsAddress: RunDirectory.eventsAddress(in: runDirectory), source: source, timeout: timeout)
    }
}
