"""Whether the host has slept: the clock that stands still meanwhile is held against one that does not.

Not against the wall clock, which also jumps when somebody sets it.
"""

import sys
import time
from collections.abc import Callable

SHORTEST_S = 1.0
"""Less than this changes nothing on a device, and may be two clocks read a moment apart."""


def asleep_ns() -> int:
    """How long the host has slept since it was booted, ns. What counts is by how much it grows."""
    if sys.platform == "darwin":  # CLOCK_MONOTONIC_RAW goes on in sleep there, CLOCK_UPTIME_RAW does not
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW) - time.clock_gettime_ns(time.CLOCK_UPTIME_RAW)
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.clock_gettime_ns(time.CLOCK_MONOTONIC)


class HostSleep:
    """Remembers how long the host had slept when it was asked last."""

    def __init__(self, read_ns: Callable[[], int] | None = None) -> None:
        """Begin now.

        Args:
            read_ns: how long the host has slept so far, ns; None: `asleep_ns`.
        """
        self._read_ns = read_ns or asleep_ns
        self._seen_ns = self._read_ns()

    def slept_s(self) -> float:
        """How long it has slept since the last call, s; 0 where that is less than `SHORTEST_S`."""
        now_ns = self._read_ns()
        slept_s = (now_ns - self._seen_ns) / 1e9
        if slept_s < SHORTEST_S:
            return 0.0
        self._seen_ns = now_ns
        return slept_s
