"""The daemon's monotonic clock, seen from another host. It asks nobody: whoever pings tells it what came.

Every monotonic clock counts from its host's start, runs a little fast or slow, and stands still while its host
sleeps. So what was measured once does not hold for ever.
"""

import time
from collections.abc import Iterable
from typing import NamedTuple

_HOLDS_NS = 60 * 10**9
"""Two clocks that NTP steers drift apart by up to 0.5 ms a second; ordinary ones by a fiftieth of that."""

_DOUBTS_APART_NS = 10**9
"""Where many frames expire because the daemon is slow, measuring anew after each would make it slower."""

_ROUNDING_NS = 10**6


class ClockSample(NamedTuple):
    """One reading of the daemon's clock, between two of this host's, ns."""

    before_ns: int
    daemon_ns: int
    after_ns: int

    @property
    def ahead_ns(self) -> int:
        """How far the daemon's clock was ahead, within half the round trip."""
        return self.daemon_ns - (self.before_ns + self.after_ns) // 2

    @property
    def round_trip_ns(self) -> int:
        """From asking to having the answer."""
        return self.after_ns - self.before_ns


class DaemonClock:
    """How far the daemon's clock is ahead of this host's, and for how long that may be believed."""

    def __init__(self, *, is_ours: bool) -> None:
        """Know nothing yet.

        Args:
            is_ours: the daemon is on this host: there is one clock, and nothing to measure.
        """
        self._is_ours = is_ours
        self._best: ClockSample | None = None
        self._holds_until_ns = 0
        self._no_doubt_until_ns = 0
        self._epoch: str | None = None

    @property
    def ahead_ns(self) -> int | None:
        """ns; None: to be measured, for the first time or anew."""
        if self._is_ours:
            return 0
        if self._best is None or time.monotonic_ns() >= self._holds_until_ns:
            return None
        return self._best.ahead_ns

    def set(self, samples: Iterable[ClockSample]) -> int:
        """Believe the sample with the shortest round trip, for a minute.

        Returns:
            How far the daemon's clock is ahead, ns.
        """
        self._best = min(samples, key=lambda sample: sample.round_trip_ns)
        self._holds_until_ns = self._best.after_ns + _HOLDS_NS
        return self._best.ahead_ns

    def doubt(self) -> None:
        """Something happened that a wrong clock may have caused, or that may have changed it: measure it anew."""
        now_ns = time.monotonic_ns()
        if now_ns >= self._no_doubt_until_ns:
            self._best = None
            self._no_doubt_until_ns = now_ns + _DOUBTS_APART_NS

    def check(self, epoch: str, sample: ClockSample) -> None:
        """Forget what was measured in another life of the daemon, or disagrees with a reading that came with an answer.

        Either host may have slept or started anew since.
        """
        if self._best is None or self._is_ours:
            return
        ours_ns = sample.daemon_ns - self._best.ahead_ns
        slack_ns = self._best.round_trip_ns // 2 + _ROUNDING_NS
        agrees = sample.before_ns - slack_ns <= ours_ns <= sample.after_ns + slack_ns
        if not agrees or self._epoch not in (None, epoch):
            self._best = None
        self._epoch = epoch
