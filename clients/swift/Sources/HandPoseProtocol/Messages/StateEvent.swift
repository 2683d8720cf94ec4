/// The daemon's state: when it changes, and to each new subscriber.
public struct StateEvent: Sendable, Equatable {
    /// Counts state events, from 1; a gap means loss.
    public let seq: Int
    /// This life of the daemon; after a restart it is another, and `seq` starts again.
    public let epoch: String
    /// When it was published, ns on the host's monotonic clock.
    public let publishedAtNs: Int64
    /// What the daemon is doing.
    public let state: DaemonState
    /// Why; for people.
    public let reason: String
    /// The network; nil until it is loaded.
    public let model: ModelInfo?
    /// How often the host has slept in this epoch.
    public let resumed: Int

    /// The event in a frame as ZeroMQ delivers it: topic, one NUL byte, one map.
    ///
    /// - Parameter frame: the bytes, from the wire or from a recording.
    /// - Throws: for anything else.
    public init(frame: [UInt8]) throws(MalformedError) {
        let fields = try EventFrame(frame).fields
        seq = try fields.required("seq").int()
        epoch = try fields.required("epoch").string()
        publishedAtNs = try fields.required("published_at_ns").int64()
        state = try fields.required("state").word(DaemonState.self)
        reason = try fields.required("reason").string()
        model = try ModelInfo.optional(in: fields)
        resumed = try fields.optional("resumed")?.int() ?? 0
    }
}
