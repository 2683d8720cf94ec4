import HandPoseProtocol

/// An event as it arrived here: the hands of one frame, and what was lost before it.
///
/// What the daemon said is at hand directly: `event.hands`, `event.frame`, `event.capturedAtNs`.
@dynamicMemberLookup
public struct PoseEvent: Sendable, Equatable {
    /// What the daemon published.
    public let message: HandsEvent
    /// Events of this source between the last one delivered here and this one that were never delivered: lost on the
    /// way, or skipped because a newer one was there.
    public let missed: Int
    /// The daemon has restarted, or the host has slept, since the last event delivered here: filters, tracks and half
    /// gestures should begin anew.
    public let startsAnew: Bool

    /// An event of one's own, for previews and tests.
    public init(message: HandsEvent, missed: Int = 0, startsAnew: Bool = false) {
        self.message = message
        self.missed = missed
        self.startsAnew = startsAnew
    }

    /// Any property of the message.
    public subscript<Value>(dynamicMember property: KeyPath<HandsEvent, Value>) -> Value {
        message[keyPath: property]
    }

    /// How old the pose is: the time since its frame was taken.
    public func age(nowNs: Int64 = MonotonicClock.nowNs()) -> Duration {
        message.age(nowNs: nowNs)
    }
}

/// Follows the numbers of a source's events. Pure.
struct EventHistory {
    private var last: HandsEvent?

    /// The event, with what was missed since the one before it. Numbers start again with each life of the daemon, and
    /// when it has long not heard of the source; that is no loss.
    mutating func receive(_ message: HandsEvent) -> PoseEvent {
        defer { last = message }
        guard let last else { return PoseEvent(message: message) }
        let sameLife = last.epoch == message.epoch
        return PoseEvent(
            message: message, missed: sameLife ? max(0, message.seq - last.seq - 1) : 0,
            startsAnew: !sameLife || last.resumed != message.resumed)
    }
}
