"""Times of one thing, and how they are told."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Samples:
    """What was timed, and how long each time took.

    Attributes:
        name: for people.
        times_ms: in the order they were taken.
    """

    name: str
    times_ms: tuple[float, ...]

    @property
    def median_ms(self) -> float:
        """The middle one."""
        return float(np.median(self.times_ms))

    def line(self) -> str:
        """The name, the median and the slow end, in columns."""
        p50, p95, p99 = np.percentile(self.times_ms, (50, 95, 99))
        return f"{self.name:<44} {p50:10.3f} {p95:10.3f} {p99:10.3f}   {len(self.times_ms)}"


HEADER = f"{'':<44} {'median ms':>10} {'p95':>10} {'p99':>10}   times"


def timed(function: Callable[[], object]) -> float:
    """How long one call takes, ms."""
    started = time.perf_counter()
    function()
    return (time.perf_counter() - started) * 1e3
