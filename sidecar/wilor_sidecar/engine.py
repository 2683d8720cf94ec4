"""The one thread that owns MLX: it loads the network, warms it up, and runs batches until it is told to stop.

MLX's streams and compiled functions belong to a thread, so nothing else in the daemon may use MLX, and a network that
is let go takes its thread along. Work comes by one queue, reports leave by another; a report is followed by a call of
`wake`, which must be safe from this thread.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from wilor_protocol.arrays import Int32Array
from wilor_protocol.replies import Device, Memory, ModelInfo
from wilor_protocol.requests import PingRequest
from wilor_sidecar.estimator import BATCH_SIZES
from wilor_sidecar.faults import is_device_fault, words_of
from wilor_sidecar.jobs import Job, Route
from wilor_sidecar.pulse import Pulse
from wilor_sidecar.runner import BatchDone, Network, Runner

log = logging.getLogger(__name__)
T = TypeVar("T")

_LOAD_LIMIT_S = 600.0
_WARM_UP_LIMIT_S = 300.0
_HANG_FACTORS = {"gpu": 32, "cpu": 1024}
"""A batch that takes so many times as long as one warm crop hangs: the largest one, four times over. Cores are shared
with all else that runs: there the largest one may also get a thirtieth of them.
"""
_LONGEST_LIMIT_S = 600.0


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
    """There is no network; `start` tries again. `why` is one sentence for people."""

    why: str


@dataclass(frozen=True, slots=True)
class Unloaded:
    """The network was let go, as asked; `start` brings it back. `memory` is what is still in use."""

    memory: Memory | None


@dataclass(frozen=True, slots=True)
class Broken:
    """The network, its device or the thread itself has failed for good: only another process can help."""

    why: str


@dataclass(frozen=True, slots=True)
class Echoed:
    """A ping has been through the thread."""

    route: Route
    request: PingRequest


@dataclass(frozen=True, slots=True)
class Tested:
    """The network has been tested, as asked, and works; else `Broken` is reported."""


Report = Tested | Loaded | WarmedUp | LoadFailed | BatchDone | Echoed | Unloaded | Broken


@dataclass(frozen=True, slots=True)
class _Batch:
    jobs: list[Job]


@dataclass(frozen=True, slots=True)
class _Echo:
    route: Route
    request: PingRequest


_STAY_WARM, _TEST, _UNLOAD, _STOP = object(), object(), object(), object()


class Engine:
    """Runs a network on a thread of its own.

    Attributes:
        pulse: what the thread is doing.
    """

    def __init__(self, load: Callable[[], Network], wake: Callable[[], None], *, hang_limit_s: float = 5.0) -> None:
        """Prepare; `start` does the work.

        Args:
            load: makes the network; called on the engine's thread. An exception becomes `LoadFailed`, or `Broken` where
                the device has failed twice.
            wake: called on the engine's thread after each report.
            hang_limit_s: how long a batch may take at the least before it is said to hang; more on a slow machine.
        """
        self.pulse = Pulse("engine")
        self._load = load
        self._wake = wake
        self._hang_limit_s = hang_limit_s
        self._work: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to load: at first, and again after `Unloaded` or `LoadFailed`."""
        if self._thread is not None:
            self._thread.join()  # it has said its last word
        self._thread = threading.Thread(target=self._live, name="engine")
        self._thread.start()

    def run(self, jobs: list[Job]) -> None:
        """Run a batch; `BatchDone` reports it."""
        self._work.put(_Batch(jobs))

    def echo(self, route: Route, request: PingRequest) -> None:
        """Send a ping through the thread; `Echoed` brings it back."""
        self._work.put(_Echo(route, request))

    def stay_warm(self) -> None:
        """Keep the device awake with a very small piece of work."""
        self._work.put(_STAY_WARM)

    def test(self) -> None:
        """Test the network, before any batch that is given from here on; `Tested` reports it."""
        self._work.put(_TEST)

    def unload(self) -> None:
        """Let the network go, behind the work at hand; `Unloaded` reports it."""
        self._work.put(_UNLOAD)

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
        if self._thread is None:
            return True
        self._work.put(_STOP)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _live(self) -> None:
        try:
            self._live_with_network()
        except BaseException as error:  # a thread that ended without a word would leave everybody waiting
            log.critical("the engine's thread has died", exc_info=True)
            self._report(Broken(f"the engine's thread has died: {error!r}"))
        finally:
            self.pulse.rest()

    def _live_with_network(self) -> None:
        network: Network | None = None
        try:
            network = loaded = _tried_twice(self._loaded)
            self._report(Loaded(loaded.info, loaded.device, loaded.faces))
            runner = _tried_twice(lambda: self._warmed_up(loaded), recover=loaded.recover)
        except _DeviceLostError as error:
            self._report(Broken(str(error)))  # and close nothing: that could wait for the device
        except Exception as error:
            log.exception("the model cannot be loaded")
            self._close(network)
            self._report(LoadFailed(words_of(error)))
        else:
            self._live_with_runner(loaded, runner)

    def _live_with_runner(self, network: Network, runner: Runner | None) -> None:
        """Serve, if there is something to serve with, and let go of the network."""
        ending = self._serve(runner) if runner else _STOP
        if runner and runner.broken:
            self._report(Broken(runner.broken))  # and close nothing, as above
            return
        self._close(network)
        if runner and ending is _UNLOAD:
            self._report(Unloaded(runner.memory()))

    def _loaded(self) -> Network:
        self.pulse.begin("loading", _LOAD_LIMIT_S)
        return self._load()

    def _close(self, network: Network | None) -> None:
        if network is not None:
            self.pulse.begin("closing", _WARM_UP_LIMIT_S)
            network.close()

    def _warmed_up(self, network: Network) -> Runner | None:
        """A runner whose every batch size has run; None when a stop came first: until it is ready nothing else can."""
        for batch in BATCH_SIZES:
            if not self._work.empty():
                return None
            self.pulse.begin(f"warming up for batches of {batch}", _WARM_UP_LIMIT_S)
            network.warm_up(batch)
        runner = Runner(network)
        self.pulse.begin("testing the network", _WARM_UP_LIMIT_S)
        started = time.monotonic()
        runner.test()
        needed_s = _HANG_FACTORS[network.device.name] * (time.monotonic() - started)
        self._hang_limit_s = max(self._hang_limit_s, min(needed_s, _LONGEST_LIMIT_S))
        self._report(WarmedUp(runner.memory()))
        return runner

    def _serve(self, runner: Runner) -> object:
        """Work until told to end, or until the network is broken; returns what ended it."""
        while not runner.broken:
            self.pulse.rest()
            match self._work.get():
                case _Batch(jobs):
                    self.pulse.begin(f"running a batch of {sum(job.crops for job in jobs)}", self._hang_limit_s)
                    self._report(runner.run(jobs))
                case _Echo(route, request):
                    self._report(Echoed(route, request))
                case task if task is _TEST:
                    self.pulse.begin("testing the network", self._hang_limit_s)
                    runner.test_after_sleep()
                    if not runner.broken:
                        self._report(Tested())
                case ending if ending in (_STOP, _UNLOAD):
                    return ending
                case _:
                    self.pulse.begin("keeping the device warm", self._hang_limit_s)
                    runner.stay_warm()
        return None

    def _report(self, report: Report) -> None:
        self._reports.put(report)
        self._wake()


class _DeviceLostError(Exception):
    """The device has failed twice in a row: only another process can help."""


def _tried_twice(work: Callable[[], T], recover: Callable[[], object] = lambda: None) -> T:
    """Do it, and once more if the device fails. The second try comes when all that the first one held is let go.

    Too little memory is no fault of the device's here: another process would have no more.

    Raises:
        _DeviceLostError: it failed again.
        Exception: whatever else the work raises.
    """
    try:
        return work()
    except RuntimeError as error:
        if not is_device_fault(error):
            raise
        log.exception("the device failed before the network was ready; it is tried once more")
    try:
        recover()
        return work()
    except RuntimeError as error:
        if not is_device_fault(error):
            raise
        raise _DeviceLostError(f"the device failed twice before the network was ready: {words_of(error)}") from error
