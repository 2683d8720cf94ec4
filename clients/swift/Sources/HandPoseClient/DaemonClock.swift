/// One reading of the daemon's clock, between two of this host's, ns.
struct ClockSample {
    let beforeNs: Int64
    let daemonNs: Int64
    let afterNs: Int64

    /// How far the daemon's clock was ahead, within half the round trip.
    var aheadNs: Int64 { daemonNs - (beforeNs + roundTripNs / 2) }
    /// From asking to having the answer.
    var roundTripNs: Int64 { afterNs - beforeNs }
}

/// How far the daemon's clock is ahead of this host's, and for how long that may be believed. Pure.
///
/// Every monotonic clock counts from its host's start, runs a little fast or slow, and stands still while its host
/// sleeps. So what was measured once does not hold for ever.
struct DaemonClock {
    /// Two clocks that NTP steers drift apart by up to 0.5 ms a second; ordinary ones by a fiftieth of that.
    private static let holdsNs: Int64 = 60_000_000_000
    /// Where many frames expire because the daemon is slow, measuring anew after each would make it slower.
    private static let doubtsApartNs: Int64 = 1_000_000_000
    private static let roundingNs: Int64 = 1_000_000

    private let isOurs: Bool
    private var best: ClockSample?
    private var holdsUntilNs: Int64 = 0
    private var noDoubtUntilNs: Int64 = 0
    private var epoch: String?

    /// - Parameter isOurs: the daemon is on this host: there is one clock, and nothing to measure.
    init(isOurs: Bool) {
        self.isOurs = isOurs
    }

    /// How far it is ahead, ns; nil: to be measured, for the first time or anew.
    func aheadNs(nowNs: Int64) -> Int64? {
        if isOurs { return 0 }
        return nowNs < holdsUntilNs ? best?.aheadNs : nil
    }

    /// Believes a sample for a minute.
    mutating func set(_ sample: ClockSample) {
        best = sample
        holdsUntilNs = sample.afterNs + Self.holdsNs
    }

    /// Something happened that a wrong clock may have caused, or that may have changed it: measure anew, for once.
    mutating func doubt(nowNs: Int64) {
        guard nowNs >= noDoubtUntilNs else { return }
        best = nil
        noDoubtUntilNs = nowNs + Self.doubtsApartNs
    }

    /// Forgets what was measured in another life of the daemon, or disagrees with a reading that came with an answer:
    /// either host may have slept or started anew since.
    mutating func check(epoch: String, _ sample: ClockSample) {
        guard !isOurs, let best else { return }
        let oursNs = sample.daemonNs - best.aheadNs
        let slackNs = best.roundTripNs / 2 + Self.roundingNs
        let agrees = sample.beforeNs - slackNs...sample.afterNs + slackNs ~= oursNs
        if !agrees || (self.epoch ?? epoch) != epoch { self.best = nil }
        self.epoch = epoch
    }
}
