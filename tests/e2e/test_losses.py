"""What a listener learns of the events that it did not get."""

import pytest

from tests.e2e.faulty_daemon import Fault, crop_with, faulty_daemon
from tests.e2e.test_answers import wait_until_subscribed
from tests.e2e.test_faults import client_of
from wilor_client import HandClient, HandEvents, hand_crop
from wilor_protocol.events import hands_topic

WAIT_MS = 20_000
FRAME = hand_crop(crop_with(Fault.NONE), "right")
FRAMES = 1500
"""More than both ends keep for a listener that does not read."""


def send(client: HandClient, frames: int) -> int:
    """Have so many frames published; the last one's number."""
    return max(client.estimate(FRAME, want=[]).seq or 0 for _ in range(frames))


@pytest.mark.parametrize("only_newest", [False, True])
def test_every_loss_is_counted(only_newest: bool) -> None:
    """Who does not read for a while loses events: those seen and those missed are all there were, and the event after
    the gap is a whole one, so that nothing but time is lost.
    """
    with (
        faulty_daemon() as daemon,
        client_of(daemon) as client,
        HandEvents(client.source, daemon.events_address, only_newest=only_newest) as events,
    ):
        daemon.wait_until("ready")
        wait_until_subscribed(client, hands_topic(client.source))
        assert send(client, 1) == 1
        first = events.next(WAIT_MS)
        assert first is not None
        assert (first.seq, first.missed) == (1, 0)
        assert send(client, FRAMES) == FRAMES + 1
        seen, missed = 1, 0
        while (event := events.next(500)) is not None:
            seen, missed = seen + 1, missed + event.missed
        last = send(client, 1)
        event = events.next(WAIT_MS)
        assert event is not None
        assert (event.seq, len(event.hands)) == (last, 1)
        missed += event.missed
        print(f"{seen + 1} seen, {missed} missed of {last}")
        assert missed > 0
        assert seen + 1 + missed == last
        assert daemon.stop() == 0
