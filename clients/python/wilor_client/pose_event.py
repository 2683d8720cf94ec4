"""An event as it arrived here: the hands of one frame, and what was lost before it."""

import time

from wilor_protocol.events import HandsEvent


class PoseEvent(HandsEvent, frozen=True, kw_only=True, eq=False):
    """What the daemon published, and where it stands among the events delivered here.

    Attributes:
        missed: events of this source between the last one delivered here and this one that were never delivered: lost
            on the way, or skipped because a newer one was there.
        starts_anew: the daemon has restarted, or the host has slept, since the last event delivered here: filters,
            tracks and half gestures should begin anew.
    """

    missed: int = 0
    starts_anew: bool = False

    def age_ms(self, now_ns: int | None = None) -> float:
        """How old the pose is: the time since its frame was taken.

        Args:
            now_ns: on the daemon's clock; None: now, on this host's. For a daemon on another host see
                `HandClient.now_ns`.
        """
        return ((time.monotonic_ns() if now_ns is None else now_ns) - self.captured_at_ns) / 1e6


class EventHistory:
    """Follows the numbers of a source's events. Pure."""

    def __init__(self) -> None:
        self._last: HandsEvent | None = None

    def receive(self, message: HandsEvent) -> PoseEvent:
        """The event, with what was missed since the one before it.

        Numbers start again with each life of the daemon, and when it has long not heard of the source: that is no loss.
        """
        last, self._last = self._last, message
        same_life = last is not None and last.epoch == message.epoch
        fields = {name: getattr(message, name) for name in HandsEvent.__struct_fields__}
        return PoseEvent(
            **fields,
            missed=max(0, message.seq - last.seq - 1) if last is not None and same_life else 0,
            starts_anew=last is not None and (not same_life or last.resumed != message.resumed),
        )
