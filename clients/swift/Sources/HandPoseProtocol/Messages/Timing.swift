/// Where the time of one answer went.
public struct Timing: Sendable, Equatable {
    /// When the daemon read the request, ns on its monotonic clock.
    public let receivedAtNs: Int64
    /// From then until the network began, ms.
    public let queueMs: Double
    /// In the network and its conversions, for the whole batch, ms.
    public let modelMs: Double
    /// From reading the request until the answer was ready to be sent, ms.
    public let totalMs: Double
    /// Crops that ran together.
    public let batch: Int

    init(from fields: MessageMap) throws(MalformedError) {
        receivedAtNs = try fields.required("received_at_ns").int64()
        queueMs = try fields.required("queue_ms").double()
        modelMs = try fields.required("model_ms").double()
        totalMs = try fields.required("total_ms").double()
        batch = try fields.required("batch").int()
    }
}
