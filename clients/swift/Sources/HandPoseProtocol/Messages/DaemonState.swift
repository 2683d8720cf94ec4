/// What the daemon is doing. PROTOCOL.md, "States", says what is answered in each.
public enum DaemonState: String, Sendable, CaseIterable {
    /// The process has begun.
    case starting
    /// It reads and checks the weights.
    case loading
    /// It runs every batch size once, so that the first request is fast.
    case warming
    /// It serves.
    case ready
    /// It lives but cannot compute; waiting alone will hardly help.
    case degraded
    /// It was asked to stop: it finishes what runs, and refuses what waits.
    case draining
    /// Its last word.
    case stopped
    /// Its last word after a fault.
    case failed
}
