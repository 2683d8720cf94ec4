/// All hands of one frame of one source, as the daemon published them.
public struct HandsEvent: Sendable, Equatable {
    /// Counts the published frames of the source, from 1; a gap means loss.
    public let seq: Int
    /// This life of the daemon; after a restart it is another, and `seq` starts again.
    public let epoch: String
    /// The camera or detector that the frame came from.
    public let source: String
    /// The frame's number at its source; may skip.
    public let frame: Int
    /// When the frame was taken, ns on the host's monotonic clock.
    public let capturedAtNs: Int64
    /// When the pose was published, ns on the same clock.
    public let publishedAtNs: Int64
    /// Where the time went.
    public let timing: Timing
    /// Name of the network.
    public let model: String
    /// In the order of the frame's crops.
    public let hands: [HandPose]
    /// How often the host has slept in this epoch. Who keeps anything over time (a filter, a track, half a gesture)
    /// begins anew when it changes.
    public let resumed: Int

    /// The event in a frame as ZeroMQ delivers it: topic, one NUL byte, one map.
    ///
    /// - Parameter frame: the bytes, from the wire or from a recording.
    /// - Throws: for anything else.
    public init(frame: [UInt8]) throws(MalformedError) {
        try self.init(from: EventFrame(frame).fields)
    }

    init(from fields: MessageMap) throws(MalformedError) {
        seq = try fields.required("seq").int()
        epoch = try fields.required("epoch").string()
        source = try fields.required("source").string()
        frame = try fields.required("frame").int()
        capturedAtNs = try fields.required("captured_at_ns").int64()
        publishedAtNs = try fields.required("published_at_ns").int64()
        timing = try Timing(from: fields.required("timing").map())
        model = try fields.required("model").string()
        hands = try fields.hands()
        resumed = try fields.optional("resumed")?.int() ?? 0
    }
}
