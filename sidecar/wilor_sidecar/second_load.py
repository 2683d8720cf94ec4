"""When a network that could not be loaded is loaded again. Pure: it is told the time.

What stood in the way may pass: a disk that was not there yet, memory that another program needed.
"""

FIRST_S = 5.0
"""The pause after the first failure; each one after that is twice as long, up to `LONGEST_S`."""
LONGEST_S = 600.0


class SecondLoad:
    """Waits for the moment."""

    def __init__(self) -> None:
        self._pause_s = FIRST_S
        self._due_at_ns: int | None = None

    def put_off(self, now_ns: int, pause_s: float | None = None) -> float:
        """Wait from now on.

        Args:
            now_ns: the time, on the monotonic clock.
            pause_s: how long; None: longer each time.

        Returns:
            How long, s.
        """
        if pause_s is None:
            pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, LONGEST_S)
        self._due_at_ns = now_ns + round(pause_s * 1e9)
        return pause_s

    def is_due(self, now_ns: int) -> bool:
        """Whether the moment has come; it comes once."""
        if self._due_at_ns is None or now_ns < self._due_at_ns:
            return False
        self._due_at_ns = None
        return True

    def has_succeeded(self) -> None:
        """It was loaded: the next pause is a first one."""
        self._pause_s = FIRST_S
