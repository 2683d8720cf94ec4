"""What the daemon counts and times, for `status`."""

from collections import Counter, deque
from typing import Literal

import numpy as np

from wilor_protocol.errors import ErrorCode
from wilor_protocol.replies import Percentiles, Timing
from wilor_protocol.requests import AnyRequest
from wilor_sidecar.estimator import NotFiniteError
from wilor_sidecar.runner import BatchDone

_WINDOW = 1024
Counted = Literal["batches", "crops", "batches_retried", "not_finite", "stay_warm", "reloads", "resumed"]
"""What has a counter of its own; the others are counted by operation or by error code."""


class Metrics:
    """Counters since the start, and the last thousand times of each stage.

    Attributes:
        counters: named as in PROTOCOL.md, "Counters".
    """

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self._stages = {stage: deque[float](maxlen=_WINDOW) for stage in ("queue", "model", "total")}

    def count(self, what: Counted, times: int = 1) -> None:
        """Count something that has a name of its own."""
        self.counters[what] += times

    def count_request(self, request: AnyRequest | None) -> None:
        """Count a request; None: one that could not be read."""
        self.counters[f"requests_{_operation(request) if request else 'unreadable'}"] += 1

    def count_refusal(self, code: ErrorCode) -> None:
        """Count a request that got no answer."""
        self.counters[f"refused_{code}"] += 1

    def count_answer(self, request: AnyRequest) -> None:
        """Count a request that got its answer."""
        self.counters[f"answered_{_operation(request)}"] += 1

    def count_batch(self, crops: int) -> None:
        """Count a batch that goes to the network."""
        self.count("batches")
        self.count("crops", crops)

    def count_outcome(self, done: BatchDone) -> None:
        """Count what went wrong with a batch."""
        self.count("batches_retried", done.was_retried)
        self.count("not_finite", sum(isinstance(result, NotFiniteError) for result in done.results))

    def note_times(self, timing: Timing) -> None:
        """Remember where the time of an estimate went."""
        for stage, value in (("queue", timing.queue_ms), ("model", timing.model_ms), ("total", timing.total_ms)):
            self._stages[stage].append(value)

    def latency_ms(self) -> dict[str, Percentiles]:
        """Percentiles of each stage that has been timed at all."""
        return {stage: _percentiles(values) for stage, values in self._stages.items() if values}


def _operation(request: AnyRequest) -> str:
    return str(request.__struct_config__.tag)


def _percentiles(values: deque[float]) -> Percentiles:
    p50, p95, p99 = (round(float(value), 3) for value in np.percentile(values, (50, 95, 99)))
    return Percentiles(p50=p50, p95=p95, p99=p99, count=len(values))
