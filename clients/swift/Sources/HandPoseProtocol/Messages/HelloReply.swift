/// Who serves, what and where.
public struct HelloReply: Answer, Equatable {
    /// What a request may hold.
    public struct Limits: Sendable, Equatable {
        /// Hands in a request.
        public let maxHands: Int
        /// Bytes of a request's body.
        public let maxRequestBytes: Int
        /// Bytes of a raw crop.
        public let cropBytes: Int
        /// Characters of a source's name.
        public let maxSourceLength: Int
    }

    /// ZeroMQ addresses to connect to.
    public struct Endpoints: Sendable, Equatable {
        /// Where the daemon answers.
        public let requests: String
        /// Where it publishes.
        public let events: String
    }

    /// Name and version, for people.
    public let server: String
    /// The protocol versions that it speaks.
    public let supportedVersions: ClosedRange<Int>
    /// This life of the daemon; another after a restart.
    public let epoch: String
    /// What it is doing.
    public let state: DaemonState
    /// The network; nil until it is loaded.
    public let model: ModelInfo?
    /// What a request may hold.
    public let limits: Limits
    /// Where to connect.
    public let endpoints: Endpoints
    /// Its clocks.
    public let clocks: Clocks
    /// Names of the 21 key points, in their order; see `Joint`.
    public let jointNames: [String]

    package init(from fields: MessageMap) throws(MalformedError) {
        try fields.checkAnswer()
        server = try fields.required("server").string()
        supportedVersions = try fields.required("protocol").versions()
        epoch = try fields.required("epoch").string()
        state = try fields.required("state").word(DaemonState.self)
        model = try ModelInfo.optional(in: fields)
        limits = try Limits(from: fields.required("limits").map())
        endpoints = try Endpoints(from: fields.required("endpoints").map())
        clocks = try Clocks(from: fields.required("clocks").map())
        jointNames = try fields.required("joint_names").strings()
    }
}

extension HelloReply.Limits {
    init(from fields: MessageMap) throws(MalformedError) {
        maxHands = try fields.required("max_hands").int()
        maxRequestBytes = try fields.required("max_request_bytes").int()
        cropBytes = try fields.required("crop_bytes").int()
        maxSourceLength = try fields.required("max_source_length").int()
    }
}

extension HelloReply.Endpoints {
    init(from fields: MessageMap) throws(MalformedError) {
        requests = try fields.required("requests").string()
        events = try fields.required("events").string()
    }
}
