import Testing

@testable import HandPoseClient

/// What waits for a reply, without a socket.
@Suite struct PendingRequestsTests {
    private let start = ContinuousClock.now

    private func filled() -> PendingRequests<String> {
        var pending = PendingRequests<String>()
        pending.add(1, body: [1], deadline: start + .seconds(2), waiter: "first")
        pending.add(2, body: [2], deadline: start + .seconds(1), waiter: "second")
        return pending
    }

    @Test("Requests are sent in the order in which they came, each once")
    func order() {
        var pending = filled()
        #expect(pending.nextUnsent?.id == 1)
        pending.markSent(1)
        #expect(pending.nextUnsent?.id == 2)
        pending.markSent(2)
        #expect(pending.nextUnsent == nil && !pending.hasUnsent && !pending.isEmpty)
    }

    @Test("A reply finds its request once; later ones find nobody")
    func replies() {
        var pending = filled()
        #expect(pending.remove(2) == "second")
        #expect(pending.remove(2) == nil)
        #expect(pending.remove(9) == nil)
        #expect(pending.nextUnsent?.id == 1)
    }

    @Test("Those that have waited too long are taken out, sent or not, and no others")
    func expiry() {
        var pending = filled()
        pending.markSent(2)
        #expect(pending.nextDeadline == start + .seconds(1))
        #expect(pending.removeExpired(at: start + .milliseconds(999)).isEmpty)
        let expired = pending.removeExpired(at: start + .seconds(1))
        #expect(expired.map(\.waiter) == ["second"] && expired.map(\.sent) == [true])
        #expect(pending.removeExpired(at: start + .seconds(2)).map(\.sent) == [false])
        #expect(pending.isEmpty && !pending.hasUnsent && pending.nextDeadline == nil)
    }

    @Test("Everybody who waits can be told at the end")
    func all() {
        var pending = filled()
        #expect(pending.removeAll().sorted() == ["first", "second"])
        #expect(pending.isEmpty && pending.nextUnsent == nil)
    }
}
