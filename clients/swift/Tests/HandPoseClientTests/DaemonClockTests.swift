import Testing

@testable import HandPoseClient

/// How long the clock of a daemon on another host is believed.
@Suite struct DaemonClockTests {
    private let second: Int64 = 1_000_000_000

    private func sample(aheadNs: Int64, afterNs: Int64, roundTripNs: Int64 = 1_000) -> ClockSample {
        let beforeNs = afterNs - roundTripNs
        return ClockSample(beforeNs: beforeNs, daemonNs: beforeNs + roundTripNs / 2 + aheadNs, afterNs: afterNs)
    }

    @Test("A measured clock holds for a minute")
    func holds() {
        var clock = DaemonClock(isOurs: false)
        #expect(clock.aheadNs(nowNs: 0) == nil)
        clock.set(sample(aheadNs: 7, afterNs: second))
        #expect(clock.aheadNs(nowNs: 60 * second) == 7)
        #expect(clock.aheadNs(nowNs: 61 * second) == nil)
    }

    @Test("A doubtful clock is measured anew, once a second")
    func doubts() {
        var clock = DaemonClock(isOurs: false)
        clock.set(sample(aheadNs: 7, afterNs: second))
        clock.doubt(nowNs: 2 * second)
        #expect(clock.aheadNs(nowNs: 2 * second) == nil)
        clock.set(sample(aheadNs: 7, afterNs: 2 * second))
        clock.doubt(nowNs: second * 29 / 10)
        #expect(clock.aheadNs(nowNs: 3 * second) == 7)
        clock.doubt(nowNs: 3 * second)
        #expect(clock.aheadNs(nowNs: 3 * second) == nil)
    }

    @Test(
        "A reading that cannot be is found out",
        arguments: [(0, true), (1_000_000, true), (100_000_000, false), (-100_000_000, false)])
    func check(_ offNs: Int64, _ agrees: Bool) {
        var clock = DaemonClock(isOurs: false)
        clock.set(sample(aheadNs: 5 * second, afterNs: second))
        clock.check(epoch: "life", sample(aheadNs: 5 * second + offNs, afterNs: 2 * second))
        #expect((clock.aheadNs(nowNs: 3 * second) != nil) == agrees)
    }

    @Test("Another life of the daemon has another clock")
    func epoch() {
        var clock = DaemonClock(isOurs: false)
        clock.set(sample(aheadNs: 5, afterNs: second))
        clock.check(epoch: "one", sample(aheadNs: 5, afterNs: second))
        #expect(clock.aheadNs(nowNs: second) == 5)
        clock.check(epoch: "two", sample(aheadNs: 5, afterNs: second))
        #expect(clock.aheadNs(nowNs: second) == nil)
    }

    @Test("A daemon of this host has this clock, whatever comes")
    func ours() {
        var clock = DaemonClock(isOurs: true)
        clock.set(sample(aheadNs: 5, afterNs: 1))
        clock.check(epoch: "one", sample(aheadNs: 9, afterNs: second))
        #expect(clock.aheadNs(nowNs: 99 * second) == 0)
    }
}
