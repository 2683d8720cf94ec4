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
        seen, missed, last = 1, 0, 0
        event = None
        while event is None or event.seq != last:
            if (event := events.next(500)) is None:
                last = send(client, 1)
                continue
            seen, missed = seen + 1, missed + event.missed
        assert len(event.hands) == 1
        print(f"{seen} seen, {missed} missed of {last}")
        assert missed > 0
        assert seen + missed == last
        if only_newest:
            assert seen < FRAMES / 10
        assert daemon.stop() == 0
