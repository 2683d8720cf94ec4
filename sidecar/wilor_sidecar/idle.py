"""Whether anybody uses the network, and what is done when nobody does. Pure: it is told the time."""

STAY_WARM_EVERY_NS = 400_000_000
"""A GPU begins to slow down, and to give up what it holds, about a second after its last work."""


class Idle:
    """Looks at the time since the network was used last.

    Two limits: for a little while after it was used the device is kept from falling asleep, and after a long one the
    network is let go.
    """

    def __init__(self, *, keep_warm_s: float, unload_after_s: float, now_ns: int) -> None:
        """Begin as if it had been used now.

        Args:
            keep_warm_s: how long after a use the device is kept awake; 0: never.
            unload_after_s: how long after it the network is let go; 0: never.
            now_ns: the time, on the monotonic clock, as in all that follows.
        """
        self._keep_warm_ns = round(keep_warm_s * 1e9)
        self._unload_after_ns = round(unload_after_s * 1e9)
        self._used_at_ns = now_ns
        self._worked_at_ns = now_ns

    def note_use(self, now_ns: int) -> None:
        """Somebody wants the network."""
        self._used_at_ns = self._worked_at_ns = now_ns

    def note_work(self, now_ns: int) -> None:
        """The device has had something to do."""
        self._worked_at_ns = now_ns

    def is_in_use(self, now_ns: int) -> bool:
        """Whether it was used so lately that the device is worth keeping awake."""
        return now_ns - self._used_at_ns < self._keep_warm_ns

    def should_stay_warm(self, now_ns: int) -> bool:
        """Whether the device is due a piece of work."""
        return self.is_in_use(now_ns) and now_ns - self._worked_at_ns >= STAY_WARM_EVERY_NS

    def should_unload(self, now_ns: int) -> bool:
        """Whether nobody has used it for so long that it is not worth its memory."""
        return 0 < self._unload_after_ns <= now_ns - self._used_at_ns
