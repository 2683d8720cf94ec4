import Testing

@testable import HandPoseClient

/// What was missed between two events, by their numbers.
@Suite struct EventHistoryTests {
    private func event(_ seq: Int64, epoch: String = "a", resumed: Int64 = 0) throws -> HandsEvent {
        let timing = MessagePackValue.map([
            MessagePackField("received_at_ns", .integer(1)), MessagePackField("queue_ms", .integer(0)),
            MessagePackField("model_ms", .integer(0)), MessagePackField("total_ms", .integer(0)),
            MessagePackField("batch", .integer(1)),
        ])
        let body = MessagePackValue.map([
            MessagePackField("seq", .integer(seq)), MessagePackField("epoch", .string(epoch)),
            MessagePackField("source", .string("cam")), MessagePackField("frame", .integer(seq)),
            MessagePackField("captured_at_ns", .integer(1_000_000)), MessagePackField("published_at_ns", .integer(2)),
            MessagePackField("timing", timing), MessagePackField("model", .string("m")),
            MessagePackField("hands", .array([])), MessagePackField("v", .integer(1)),
            MessagePackField("resumed", .integer(resumed)),
        ])
        return try HandsEvent(frame: Topic.hands(source: "cam").subscription + body.encoded())
    }

    @Test("The first event misses nothing, and the next ones what lies between")
    func gaps() throws {
        var history = EventHistory()
        #expect(history.receive(try event(17)).missed == 0)
        #expect(history.receive(try event(18)).missed == 0)
        #expect(history.receive(try event(22)).missed == 3)
    }

    @Test("Numbers that start again are no loss")
    func startsAgain() throws {
        var history = EventHistory()
        _ = history.receive(try event(17))
        let restarted = history.receive(try event(5, epoch: "b"))
        #expect(restarted.missed == 0 && restarted.startsAnew)
        let forgotten = history.receive(try event(1, epoch: "b"))
        #expect(forgotten.missed == 0 && !forgotten.startsAnew)
    }

    @Test("After the host has slept, readers are told to begin anew")
    func resumed() throws {
        var history = EventHistory()
        #expect(!history.receive(try event(1)).startsAnew)
        let woken = history.receive(try event(3, resumed: 1))
        #expect(woken.startsAnew && woken.missed == 1)
        #expect(!history.receive(try event(4, resumed: 1)).startsAnew)
    }

    @Test("An event's age is the time since its frame was taken, and its message's fields are at hand")
    func age() throws {
        let event = PoseEvent(message: try event(1))
        #expect(event.age(nowNs: 3_500_000) == .microseconds(2_500))
        #expect(event.frame == 1 && event.hands.isEmpty)
    }
}
