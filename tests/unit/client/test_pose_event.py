"""What was missed between two events, whether readers begin anew, and how old a pose is."""

import time

from wilor_client.pose_event import EventHistory
from wilor_protocol.events import HandsEvent
from wilor_protocol.replies import Timing
from wilor_protocol.version import PROTOCOL_VERSION

_TIMING = Timing(received_at_ns=1, queue_ms=0, model_ms=0, total_ms=0, batch=1)


def event(seq: int, epoch: str = "a", resumed: int = 0, captured_at_ns: int = 1_000_000) -> HandsEvent:
    """The numbers matter."""
    return HandsEvent(
        seq=seq,
        epoch=epoch,
        source="cam",
        frame=seq,
        captured_at_ns=captured_at_ns,
        published_at_ns=2,
        timing=_TIMING,
        model="m",
        hands=[],
        v=PROTOCOL_VERSION,
        resumed=resumed,
    )


def test_what_lies_between_two_events_was_missed() -> None:
    """Before the first nothing was; the message's own fields are all there."""
    history = EventHistory()
    assert [history.receive(event(seq)).missed for seq in (17, 18, 22)] == [0, 0, 3]
    received = history.receive(event(23, captured_at_ns=77))
    assert {name: getattr(received, name) for name in HandsEvent.__struct_fields__} == {
        name: getattr(event(23, captured_at_ns=77), name) for name in HandsEvent.__struct_fields__
    }


def test_numbers_that_start_again_are_no_loss() -> None:
    """With another epoch readers begin anew; where the daemon had forgotten the source they go on."""
    history = EventHistory()
    outcomes = [
        (received.missed, received.starts_anew)
        for received in map(history.receive, (event(17), event(5, "b"), event(1, "b")))
    ]
    assert outcomes == [(0, False), (0, True), (0, False)]


def test_after_the_host_has_slept_readers_begin_anew() -> None:
    """Once."""
    history = EventHistory()
    outcomes = [
        (received.missed, received.starts_anew)
        for received in map(history.receive, (event(1), event(3, resumed=1), event(4, resumed=1)))
    ]
    assert outcomes == [(0, False), (1, True), (0, False)]


def test_the_age_of_a_pose_is_the_time_since_its_frame_was_taken() -> None:
    """At a given moment, or now."""
    assert EventHistory().receive(event(1)).age_ms(3_500_000) == 2.5
    fresh = EventHistory().receive(event(1, captured_at_ns=time.monotonic_ns()))
    assert 0 <= fresh.age_ms() < 60_000
