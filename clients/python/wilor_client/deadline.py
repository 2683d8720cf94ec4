"""The end of a call, however many things it waits for."""

import math
import time

from wilor_protocol.checks import require_between

_MAX_TIMEOUT_MS = 2**31 - 1


class Deadline:
    """A moment on this host's clock.

    Attributes:
        timeout_ms: from the beginning of the call; None: no end.
    """

    def __init__(self, timeout_ms: float | None) -> None:
        """So much later than now.

        Raises:
            ValueError: negative, not a number, or more than 24 days.
        """
        require_between("timeout_ms", timeout_ms, 0, _MAX_TIMEOUT_MS)
        self.timeout_ms = timeout_ms
        self._end = math.inf if timeout_ms is None else time.monotonic() + timeout_ms / 1000

    def left_ms(self) -> int | None:
        """How long one may still wait, as ZeroMQ takes it: rounded up, 0 when it is over; None: for ever."""
        return None if self.timeout_ms is None else max(0, math.ceil((self._end - time.monotonic()) * 1000))

    @property
    def is_over(self) -> bool:
        """Whether it has passed."""
        return time.monotonic() >= self._end
