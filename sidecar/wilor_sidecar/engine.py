"""The one thread that owns MLX: it loads the network, warms it up, and runs batches until it is told to stop.

MLX's streams and compiled functions belong to a thread, so nothing else in the daemon may use MLX. Work comes by one
queue, reports leave by another; a report is followed by a call of `wake`, which must be safe from this thread.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wilor_protocol.arrays import Int32Array
from wilor_protocol.hands import Hand
from wilor_protocol.replies import Device, Memory, ModelInfo
from wilor_protocol.requests import PingRequest
from wilor_sidecar.estimator import BATCH_SIZES, Estimator, NotFiniteError
from wilor_sidecar.jobs import Job, Route

log = logging.getLogger(__name__)


class Network(Protocol):
    """What the engine needs of a model; the real one is `wilor_sidecar.serving.ServedModel`."""

    info: ModelInfo
    device: Device
    faces: Int32Array

    def __call__(self, crops_rgb: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """The outputs for (B, 256, 256, 3) uint8 crops of right hands."""

    def warm_up(self, batch: int) -> None:
        """Leave nothing to compile for this batch size."""

    def memory(self) -> Memory:
        """What is in use now."""

    def close(self) -> None:
        """Let go of what belongs to this thread."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The network is in memory, checked; it is being warmed up now."""

    info: ModelInfo
    device: Device
    faces: Int32Array


@dataclass(frozen=True, slots=True)
class WarmedUp:
    """Every batch size has run: the next one is fast. `memory` is None when it cannot be told."""

    memory: Memory | None


@dataclass(frozen=True, slots=True)
class LoadFailed:
    """There will be no network. `why` is one sentence for people."""

    why: str


@dataclass(frozen=True, slots=True)
class BatchDone:
    """A batch has run.

    Attributes:
        results: for each job its hands, or what went wrong.
        started_at_ns, finished_at_ns: around the network, on the monotonic clock.
        memory: after it; None when it cannot be told.
    """

    jobs: list[Job]
    results: list[list[Hand] | Exception]
    started_at_ns: int
    finished_at_ns: int
    memory: Memory | None


@dataclass(frozen=True, slots=True)
class Echoed:
    """A ping has been through the thread."""

    route: Route
    request: PingRequest


Report = Loaded | WarmedUp | LoadFailed | BatchDone | Echoed


@dataclass(frozen=True, slots=True)
class _Batch:
    jobs: list[Job]


@dataclass(frozen=True, slots=True)
class _Echo:
    route: Route
    request: PingRequest


_STOP = object()


class Engine:
    """Runs a network on a thread of its own."""

    def __init__(self, load: Callable[[], Network], wake: Callable[[], None]) -> None:
        """Prepare; `start` does the work.

        Args:
            load: makes the network; called on the engine's thread. An exception becomes `LoadFailed`.
            wake: called on the engine's thread after each report.
        """
        self._load = load
        self._wake = wake
        self._work: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._live, name="engine")

    def start(self) -> None:
        """Begin to load."""
        self._thread.start()

    def run(self, jobs: list[Job]) -> None:
        """Run a batch; `BatchDone` reports it."""
        self._work.put(_Batch(jobs))

    def echo(self, route: Route, request: PingRequest) -> None:
        """Send a ping through the thread; `Echoed` brings it back."""
        self._work.put(_Echo(route, request))

    def reports(self) -> list[Report]:
        """What has been reported since the last call."""
        found = []
        while not self._reports.empty():
            found.append(self._reports.get_nowait())
        return found

    def stop(self, timeout_s: float) -> bool:
        """Finish the work at hand, let go of the network and end.

        Returns:
            Whether the thread has ended within the time.
        """
        self._work.put(_STOP)
        if self._thread.ident is not None:  # it has been started
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _live(self) -> None:
        network = None
        try:
            network = self._load()
            self._warm_up(network)
        except Exception as error:
            log.exception("the model cannot be loaded")
            self._report(LoadFailed(str(error) or type(error).__name__))
        else:
            self._serve(network)
        finally:
            if network is not None:
                network.close()

    def _warm_up(self, network: Network) -> None:
        self._report(Loaded(network.info, network.device, network.faces))
        for batch in BATCH_SIZES:
            if not self._work.empty():  # before we are ready only a stop can be waiting
                return
            network.warm_up(batch)
        self._report(WarmedUp(_memory_of(network)))

    def _serve(self, network: Network) -> None:
        estimator = Estimator(network)
        while (task := self._work.get()) is not _STOP:
            match task:
                case _Batch(jobs):
                    self._report(_ran(estimator, network, jobs))
                case _Echo(route, request):
                    self._report(Echoed(route, request))

    def _report(self, report: Report) -> None:
        self._reports.put(report)
        self._wake()


def _ran(estimator: Estimator, network: Network, jobs: list[Job]) -> BatchDone:
    started_at_ns = time.monotonic_ns()
    results: list[list[Hand] | Exception]
    try:
        results = [*estimator.estimate([job.frame for job in jobs])]
    except Exception as error:  # the senders must be answered, whatever it is
        log.exception("a batch of %d frames failed", len(jobs))
        results = [error] * len(jobs)
    for result in results:
        if isinstance(result, NotFiniteError):
            log.error("%s", result)
    finished_at_ns = time.monotonic_ns()
    return BatchDone(jobs, results, started_at_ns, finished_at_ns, _memory_of(network))


def _memory_of(network: Network) -> Memory | None:
    try:
        return network.memory()
    except Exception:  # a figure for people must not cost an answer
        log.exception("the memory in use cannot be told")
        return None
