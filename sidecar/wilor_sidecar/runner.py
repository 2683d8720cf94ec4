"""Runs batches on a network that may fail: a second try for what went wrong, and a verdict on whether to go on.

Called on the engine's thread. Knows no queues and no clients.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wilor_protocol.arrays import Int32Array
from wilor_protocol.hands import Hand
from wilor_protocol.limits import CROP_SIDE_PX
from wilor_protocol.replies import Device, Memory, ModelInfo
from wilor_sidecar.estimator import BadImageError, Estimator, Frame, NotFiniteError
from wilor_sidecar.faults import FaultRecord, is_device_fault, words_of
from wilor_sidecar.jobs import Job

log = logging.getLogger(__name__)

Result = list[Hand] | Exception


class Network(Protocol):
    """What is needed of a model; the real one is `wilor_sidecar.serving.ServedModel`."""

    info: ModelInfo
    device: Device
    faces: Int32Array

    def __call__(self, crops_rgb: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """The outputs for (B, 256, 256, 3) uint8 crops of right hands."""

    def warm_up(self, batch: int) -> None:
        """Leave nothing to compile for this batch size."""

    def stay_warm(self) -> None:
        """Give the device something to do, very little, so that it does not slow down."""

    def recover(self) -> None:
        """Let go of what a failed batch may have left behind."""

    def memory(self) -> Memory:
        """What is in use now; also when it is closed."""

    def close(self) -> None:
        """Let go of everything, this thread's share of MLX too: the thread must end now."""


@dataclass(frozen=True, slots=True)
class BatchDone:
    """A batch has run.

    Attributes:
        results: for each job its hands, or what went wrong.
        started_at_ns, finished_at_ns: around the network, on the monotonic clock.
        was_retried: the first try failed.
        memory: after it; None when it cannot be told.
    """

    jobs: list[Job]
    results: list[Result]
    started_at_ns: int
    finished_at_ns: int
    was_retried: bool
    memory: Memory | None


class Runner:
    """A network, and what has been seen of it.

    Attributes:
        broken: why it must not be used any more; empty while it may.
    """

    def __init__(self, network: Network) -> None:
        self.broken = ""
        self._network = network
        self._estimator = Estimator(network)
        self._faults = FaultRecord()
        self._was_retried = False

    def test(self) -> None:
        """Run the network on one black crop.

        Raises:
            NotFiniteError: it gives a number that must not leave.
            Exception: whatever the network raises.
        """
        black = np.zeros((1, CROP_SIDE_PX, CROP_SIDE_PX, 3), np.uint8)
        for name, values in self._network(black).items():
            if not np.isfinite(values).all():
                raise NotFiniteError(f"the network's {name} is not finite for a black crop")

    def test_after_sleep(self) -> None:
        """Run the network on a black crop, and once more if that fails: a device may need a moment after the sleep."""
        try:
            self.test()
        except Exception:
            log.exception("the network fails after the host has slept; it is tried once more")
            self._network.recover()
            self._test_after(RuntimeError("the host has slept"))

    def stay_warm(self) -> None:
        """Give the device something to do."""
        try:
            self._network.stay_warm()
        except Exception as error:
            log.exception("keeping the device warm failed")
            self._take_note_of(error)

    def run(self, jobs: list[Job]) -> BatchDone:
        """Run a batch. Whatever happens, every job gets its result."""
        self._was_retried = False
        started_at_ns = time.monotonic_ns()
        results = self._results(jobs)
        finished_at_ns = time.monotonic_ns()
        return BatchDone(jobs, results, started_at_ns, finished_at_ns, self._was_retried, self.memory())

    def memory(self) -> Memory | None:
        """What is in use now; None when it cannot be told."""
        try:
            return self._network.memory()
        except Exception:  # a figure for people must not cost an answer
            log.exception("the memory in use cannot be told")
            return None

    def _results(self, jobs: list[Job]) -> list[Result]:
        read = [_frame_of(job) for job in jobs]
        estimates = iter(self._estimates([frame for frame in read if isinstance(frame, Frame)]))
        return [next(estimates) if isinstance(frame, Frame) else frame for frame in read]

    def _estimates(self, frames: Sequence[Frame]) -> Sequence[Result]:
        if not frames:
            return []
        try:
            return self._followed_up(self._estimator.estimate(frames))
        except Exception as error:
            return self._second_try(frames, error)

    def _second_try(self, frames: Sequence[Frame], first: Exception) -> Sequence[Result]:
        log.exception("a batch of %d frames failed; it is tried once more", len(frames))
        self._was_retried = True
        self._take_note_of(first)
        try:
            self._network.recover()
            return self._followed_up(self._estimator.estimate(frames))
        except Exception as second:  # the senders must be answered, whatever it is
            log.exception("it failed again")
            if is_device_fault(second):
                self.broken = f"the device failed twice in a row: {words_of(second)}"
            else:
                self._test_after(second)
            return [second] * len(frames)

    def _take_note_of(self, error: Exception) -> None:
        if is_device_fault(error) and self._faults.is_too_many(time.monotonic_ns()):
            self.broken = f"the device failed twice within a minute: {words_of(error)}"

    def _followed_up(self, results: Sequence[list[Hand] | NotFiniteError]) -> Sequence[Result]:
        """The results, when it has been looked into what numbers that are none in them mean for the network."""
        nonsense = [result for result in results if isinstance(result, NotFiniteError)]
        for each in nonsense:
            log.error("%s", each)
        if nonsense:
            self._test_after(nonsense[0])
        return results

    def _test_after(self, failure: Exception) -> None:
        """Whether it was this batch or the network: a black crop tells."""
        try:
            self.test()
        except Exception as error:
            log.exception("the network fails on a black crop too")
            self.broken = f"the network fails on a black crop too: {words_of(error)} (after {words_of(failure)})"


def _frame_of(job: Job) -> Frame | BadImageError:
    """A job's pixels. They are unpacked here, and so only for what runs."""
    try:
        return Frame.of_request(job.request)
    except BadImageError as error:
        return error
