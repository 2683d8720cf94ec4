import Dispatch
import HandPoseProtocol

/// The clock of every `AtNs` on the wire: the host's, which no one sets, and which stands still while the host sleeps.
public enum MonotonicClock {
    /// Now, ns.
    public static func nowNs() -> Int64 {
        Int64(DispatchTime.now().uptimeNanoseconds)
    }
}

extension HandsEvent {
    /// How old the pose is: the time since its frame was taken.
    ///
    /// - Parameter nowNs: on the host's monotonic clock.
    public func age(nowNs: Int64 = MonotonicClock.nowNs()) -> Duration {
        .nanoseconds(nowNs - capturedAtNs)
    }
}
