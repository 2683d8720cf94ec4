/// Requests that have no reply yet: which to send next, which have waited too long. Pure: no socket, no clock of its own.
///
/// `Waiter` is whoever gets the reply.
struct PendingRequests<Waiter> {
    struct Pending {
        let body: [UInt8]
        let deadline: ContinuousClock.Instant
        let waiter: Waiter
        var sent = false
    }

    private var pending: [Int: Pending] = [:]
    private var unsent: [Int] = []

    var isEmpty: Bool { pending.isEmpty }
    var hasUnsent: Bool { !unsent.isEmpty }
    var nextDeadline: ContinuousClock.Instant? { pending.values.map(\.deadline).min() }

    mutating func add(_ id: Int, body: [UInt8], deadline: ContinuousClock.Instant, waiter: Waiter) {
        pending[id] = Pending(body: body, deadline: deadline, waiter: waiter)
        unsent.append(id)
    }

    /// The oldest that was not sent yet.
    var nextUnsent: (id: Int, body: [UInt8])? {
        unsent.first.flatMap { id in pending[id].map { (id, $0.body) } }
    }

    mutating func markSent(_ id: Int) {
        pending[id]?.sent = true
        unsent.removeAll { $0 == id }
    }

    /// Takes out a request that was answered or cancelled; nil when it is not here any more.
    mutating func remove(_ id: Int) -> Waiter? {
        unsent.removeAll { $0 == id }
        return pending.removeValue(forKey: id)?.waiter
    }

    /// Takes out those that have waited too long.
    mutating func removeExpired(at now: ContinuousClock.Instant) -> [Pending] {
        let expired = pending.filter { $0.value.deadline <= now }
        for id in expired.keys { _ = remove(id) }
        return Array(expired.values)
    }

    mutating func removeAll() -> [Waiter] {
        defer { self = PendingRequests() }
        return pending.values.map(\.waiter)
    }
}
