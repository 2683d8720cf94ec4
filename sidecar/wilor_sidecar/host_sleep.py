"""Whether the host has slept: the clock that stands still meanwhile is held against one that does not.

Not against the wall clock, which also jumps when somebody sets it.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

SHORTEST_S = 1.0
"""Less than this changes nothing on a device, and may be two clocks read a moment apart."""


def asleep_ns() -> int:
    """How long the host has slept since it was booted, ns. What counts is by how much it grows."""
    if sys.platform == "darwin":  # CLOCK_MONOTONIC_RAW goes on in sleep there, CLOCK_UPTIME_RAW does not
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW) - time.clock_gettime_ns(time.CLOCK_UPTIME_RAW)
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.clock_gettime_ns(time.CLOCK_MONOTONIC)


_ON_ITS_WAY_NS = 2 * 10**9
"""How old a frame may be that a camera took and had not yet sent, or that lay unread, when the host fell asleep. Not
longer: a sender with a clock of its own, which runs beside ours, passes through this time once, and is refused as long.
"""


@dataclass(frozen=True, slots=True)
class Sleep:
    """One sleep of the host. The moment that it began is not known, only between which two looks it was.

    Attributes:
        slept_s: how long it took, s.
        before_ns: the last look before it, on the monotonic clock, which stood still meanwhile.
        noticed_ns: the first look after it.
    """

    slept_s: float
    before_ns: int
    noticed_ns: int

    def may_be_older(self, captured_at_ns: int) -> bool:
        """Whether a frame may have been taken before the sleep, although it seems to be new."""
        return self.before_ns - _ON_ITS_WAY_NS <= captured_at_ns <= self.noticed_ns


class HostSleep:
    """Remembers how long the host had slept when it was asked last.

    Attributes:
        last: the last sleep that was noticed; None: there was none.
    """

    def __init__(self, read_ns: Callable[[], int] | None = None) -> None:
        """Begin now.

        Args:
            read_ns: how long the host has slept so far, ns; None: `asleep_ns`.
        """
        self.last: Sleep | None = None
        self._read_ns = read_ns or asleep_ns
        self._seen_ns = self._read_ns()
        self._looked_at_ns = time.monotonic_ns()

    def look(self) -> Sleep | None:
        """A sleep since the last look; None where it was less than `SHORTEST_S`."""
        asleep_ns = self._read_ns()
        before_ns, self._looked_at_ns = self._looked_at_ns, time.monotonic_ns()
        slept_s = (asleep_ns - self._seen_ns) / 1e9
        if slept_s < SHORTEST_S:
            return None
        self._seen_ns = asleep_ns
        self.last = Sleep(slept_s, before_ns, self._looked_at_ns)
        return self.last

    def complaint(self, captured_at_ns: int) -> str:
        """Why a frame must not be taken for a new one; empty: it may."""
        if self.last is None or not self.last.may_be_older(captured_at_ns):
            return ""
        return f"the frame may be from before the host slept for {self.last.slept_s:.0f} s"
