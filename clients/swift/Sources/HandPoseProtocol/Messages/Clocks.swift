/// Both clocks of the daemon's host, read together.
public struct Clocks: Sendable, Equatable {
    /// The clock of every `AtNs` on the wire, ns; `MonotonicClock.nowNs()` reads the same one.
    public let monotonicNs: Int64
    /// Nanoseconds since the Unix epoch; for people only.
    public let wallNs: Int64

    init(from fields: MessageMap) throws(MalformedError) {
        monotonicNs = try fields.required("monotonic_ns").int64()
        wallNs = try fields.required("wall_ns").int64()
    }
}
