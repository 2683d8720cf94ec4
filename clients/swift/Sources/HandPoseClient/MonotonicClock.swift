import Dispatch
import HandPoseProtocol

#if canImport(CoreMedia)
    import CoreMedia
#endif

/// The clock of every `AtNs` on the wire: the host's, which no one sets, and which stands still while the host sleeps.
public enum MonotonicClock {
    /// Now, ns.
    public static func nowNs() -> Int64 {
        Int64(DispatchTime.now().uptimeNanoseconds)
    }

    #if canImport(CoreMedia)
        /// A time of Core Media's host clock, ns: for `estimate(capturedAtNs:)` the
        /// `CMSampleBufferGetPresentationTimeStamp` of what an `AVCaptureSession` delivers.
        ///
        /// - Parameter time: on the host clock, which counts what this clock counts. A session whose
        ///   `synchronizationClock` is another (that of a microphone, for example) wants `CMSyncConvertTime` first.
        public static func ns(hostTime time: CMTime) -> Int64 {
            CMTimeConvertScale(time, timescale: 1_000_000_000, method: .default).value
        }
    #endif
}

extension HandsEvent {
    /// How old the pose is: the time since its frame was taken.
    ///
    /// - Parameter nowNs: on the daemon's clock; for a daemon on another host see `HandPoseClient.nowNs`.
    public func age(nowNs: Int64 = MonotonicClock.nowNs()) -> Duration {
        .nanoseconds(nowNs - capturedAtNs)
    }
}
