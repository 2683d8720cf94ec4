"""The engine's thread, with networks that fail, hang and lie."""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import pytest

from wilor_protocol.requests import PingRequest
from wilor_protocol.version import PROTOCOL_VERSION
from wilor_sidecar.engine import BatchDone, Echoed, Engine, Loaded, LoadFailed, Network, Report, WarmedUp
from wilor_sidecar.estimator import NotFiniteError

from .fakes import (
    DEVICE,
    MEMORY,
    MODEL,
    UNIT_S,
    Crops,
    FakeNetwork,
    Outputs,
    crop_of,
    hand_of,
    job_of,
    outputs_of,
    request_of,
)

R = TypeVar("R", bound=Report)

PING = PingRequest(id=3, v=PROTOCOL_VERSION, deep=True)
ROUTE = (b"client", b"")


class Running:
    """An engine, and all that it has reported. Stopped at the end of its test, whatever happened."""

    def __init__(self, load: Callable[[], Network]) -> None:
        self.woken = threading.Semaphore(0)
        self.wakers: set[int] = set()
        self.reported: list[Report] = []
        self.engine = Engine(load, self._wake)
        self._read = 0
        self.engine.start()

    def _wake(self) -> None:
        self.wakers.add(threading.get_ident())
        self.woken.release()

    def next(self, kind: type[R]) -> R:
        """The next report, which must be of this kind: waits for the wake that must come with it."""
        assert self.woken.acquire(timeout=UNIT_S), f"not woken for {kind.__name__}"
        self.reported += self.engine.reports()
        report = self.reported[self._read]
        self._read += 1
        assert isinstance(report, kind), report
        return report

    def until_warm(self) -> None:
        """Wait until it takes work."""
        self.next(Loaded)
        self.next(WarmedUp)


Start = Callable[..., Running]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts engines on these networks or loaders; none may outlive the test."""
    running: list[Running] = []

    def started(load: Callable[[], Network]) -> Running:
        running.append(Running(load))
        return running[-1]

    yield started
    for each in running:
        assert each.engine.stop(UNIT_S), "the engine's thread does not end"


def raising(error: Exception) -> Callable[..., Outputs]:
    """A network's part that always fails."""

    def fail(*_: object) -> Outputs:
        raise error

    return fail


def test_a_start_is_reported_in_two_steps(start: Start) -> None:
    """First what was loaded, then, when every batch size has run, the memory in use."""
    network = FakeNetwork()
    running = start(network.load)
    loaded = running.next(Loaded)
    assert (loaded.info, loaded.device) == (MODEL, DEVICE)
    assert loaded.faces is network.faces
    assert running.next(WarmedUp).memory == MEMORY
    assert network.batches == [1, 2, 4, 8]


def test_a_failed_load_is_reported(start: Start) -> None:
    """The reason is the exception's own words; there is nothing to close."""
    running = start(raising(ValueError("config.json: no such field")))
    assert running.next(LoadFailed).why == "config.json: no such field"


def test_a_failure_without_words_is_reported_by_its_name(start: Start) -> None:
    """`why` is never empty."""
    running = start(raising(MemoryError()))
    assert running.next(LoadFailed).why == "MemoryError"


@pytest.mark.parametrize("batch", [1, 8])
def test_a_failed_warm_up_is_a_failed_load(start: Start, batch: int) -> None:
    """Whatever size it fails at: it is reported, the network is closed, and never said to be warm."""

    def fail_at_one_size(size: int) -> None:
        if size == batch:
            raise RuntimeError("out of memory")

    network = FakeNetwork()
    network.on_warm_up = fail_at_one_size
    running = start(network.load)
    running.next(Loaded)
    assert running.next(LoadFailed).why == "out of memory"
    assert running.engine.stop(UNIT_S)
    assert network.calls[-1] == "close"
    assert network.calls.count("close") == 1
    assert running.engine.reports() == []


def test_a_failed_load_is_logged_with_its_trace(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """What the sentence leaves out stands in the log."""
    running = start(raising(ValueError("broken")))
    running.next(LoadFailed)
    assert [record for record in caplog.records if record.exc_info and record.levelno == logging.ERROR]


def test_a_batch_is_answered_job_by_job(start: Start) -> None:
    """Each job has its hands, in order; the times are around the network, and the memory is told."""
    running = start(FakeNetwork().load)
    running.until_warm()
    jobs = [job_of(request_of([hand_of(crop=crop_of(seed))] * count)) for seed, count in ((1, 1), (2, 3))]
    running.engine.run(jobs)
    done = running.next(BatchDone)
    assert done.jobs == jobs
    first, second = done.results
    assert isinstance(first, list)
    assert isinstance(second, list)
    assert (len(first), len(second)) == (1, 3)
    expected = outputs_of(crop_of(2)[None])["pred_vertices"][0]
    np.testing.assert_array_equal(np.asarray(second[2].vertices), expected)
    assert jobs[1].received_at_ns <= done.started_at_ns <= done.finished_at_ns
    assert done.memory == MEMORY


def test_a_failed_batch_fails_all_its_jobs_and_no_others(start: Start) -> None:
    """Every sender is told the very exception; the thread goes on to the next batch."""
    network = FakeNetwork()
    running = start(network.load)
    running.until_warm()
    error = RuntimeError("[METAL] Command buffer execution failed")
    network.run = raising(error)
    running.engine.run([job_of(request_of())] * 2)
    assert running.next(BatchDone).results == [error, error]
    network.run = outputs_of
    running.engine.run([job_of(request_of())])
    assert isinstance(running.next(BatchDone).results[0], list)


def test_a_network_with_too_few_outputs_fails_its_batch_alone(start: Start) -> None:
    """Also a mistake behind the network, in our own code, costs only the batch."""
    network = FakeNetwork()
    running = start(network.load)
    running.until_warm()
    network.run = lambda crops: {}
    running.engine.run([job_of(request_of())])
    assert isinstance(running.next(BatchDone).results[0], KeyError)
    running.engine.echo(ROUTE, PING)
    running.next(Echoed)


def test_numbers_that_are_not_finite_fail_one_job(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """The others of the batch get their hands, and the log says what happened."""

    def poisoned(crops: Crops) -> Outputs:
        outputs = outputs_of(crops)
        outputs["pred_cam"][1, 0] = np.nan
        return outputs

    running = start(FakeNetwork(poisoned).load)
    running.until_warm()
    running.engine.run([job_of(request_of([hand_of(crop=crop_of(1))]))] * 3)
    first, second, third = running.next(BatchDone).results
    assert isinstance(first, list)
    assert isinstance(second, NotFiniteError)
    assert isinstance(third, list)
    assert "pred_cam" in caplog.text


def test_a_ping_goes_through_the_thread(start: Start) -> None:
    """It comes back with its route, behind the work that was there before it."""
    network = FakeNetwork()
    running = start(network.load)
    running.until_warm()
    running.engine.run([job_of(request_of())])
    running.engine.echo(ROUTE, PING)
    running.next(BatchDone)
    echoed = running.next(Echoed)
    assert (echoed.route, echoed.request) == (ROUTE, PING)


def test_a_ping_waits_for_a_network_that_hangs(start: Start) -> None:
    """An echo while a batch is stuck would say that all is well."""
    entered, released = threading.Event(), threading.Event()

    def hang(crops: Crops) -> Outputs:
        entered.set()
        released.wait(UNIT_S)
        return outputs_of(crops)

    network = FakeNetwork(hang)
    running = start(network.load)
    running.until_warm()
    running.engine.run([job_of(request_of())])
    running.engine.echo(ROUTE, PING)
    assert entered.wait(UNIT_S)
    assert running.engine.reports() == []
    released.set()
    running.next(BatchDone)
    running.next(Echoed)


def test_one_thread_does_everything(start: Start) -> None:
    """From load to close only the engine's thread touches the network and wakes the others; no other does."""
    network = FakeNetwork()
    running = start(network.load)
    running.until_warm()
    running.engine.run([job_of(request_of())])
    running.next(BatchDone)
    assert running.engine.stop(UNIT_S)
    assert set(network.calls) == {"load", "warm_up", "memory", "run", "close"}
    assert len(network.threads) == 1
    assert network.threads == running.wakers
    assert network.threads != {threading.get_ident()}


def test_every_report_wakes(start: Start) -> None:
    """There are exactly as many wakes as reports: none is found by chance."""
    running = start(FakeNetwork().load)
    running.until_warm()
    for _ in range(5):
        running.engine.echo(ROUTE, PING)
        running.next(Echoed)
    assert running.engine.stop(UNIT_S)
    assert not running.woken.acquire(blocking=False)
    assert running.engine.reports() == []


def test_reports_are_told_once(start: Start) -> None:
    """A second look finds nothing."""
    running = start(FakeNetwork().load)
    running.until_warm()
    assert running.engine.reports() == []


def test_a_stop_finishes_the_work_at_hand(start: Start) -> None:
    """What was given before the stop is done and reported, then the network is closed, once."""
    network = FakeNetwork()
    running = start(network.load)
    running.until_warm()
    for _ in range(3):
        running.engine.run([job_of(request_of())])
    assert running.engine.stop(UNIT_S)
    for _ in range(3):
        running.next(BatchDone)
    assert network.calls[-1] == "close"
    assert network.calls.count("close") == 1


def test_a_stop_during_the_load_returns_in_its_time(start: Start) -> None:
    """It says that the thread has not ended; when the load is done the thread ends without a warm-up."""
    entered, released = threading.Event(), threading.Event()
    network = FakeNetwork()

    def slow() -> Network:
        entered.set()
        released.wait(UNIT_S)
        return network.load()

    running = start(slow)
    assert entered.wait(UNIT_S)
    assert not running.engine.stop(0.05)
    released.set()
    assert running.engine.stop(UNIT_S)
    assert network.calls == ["load", "close"]


def test_a_stop_during_the_warm_up_skips_the_rest_of_it(start: Start) -> None:
    """The size that runs is finished, no other begins, and the engine is never said to be warm."""
    entered, released = threading.Event(), threading.Event()

    def slow(batch: int) -> None:
        entered.set()
        released.wait(UNIT_S)

    network = FakeNetwork()
    network.on_warm_up = slow
    running = start(network.load)
    running.next(Loaded)
    assert entered.wait(UNIT_S)
    assert not running.engine.stop(0.05)
    released.set()
    assert running.engine.stop(UNIT_S)
    assert network.calls == ["load", "warm_up", "close"]
    assert running.engine.reports() == []


def test_a_stop_after_a_failed_load_returns_at_once(start: Start) -> None:
    """A thread that has ended needs no time to end."""
    running = start(raising(ValueError("broken")))
    running.next(LoadFailed)
    assert running.engine.stop(UNIT_S)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_network_that_cannot_tell_its_memory_goes_on(start: Start) -> None:
    """A failure after the network has run does not leave the batch without an answer."""
    network = FakeNetwork()
    running = start(network.load)
    running.until_warm()
    network.memory = raising(RuntimeError("the device is gone"))  # type: ignore[assignment]
    running.engine.run([job_of(request_of())])
    assert running.engine.stop(UNIT_S)
    assert [type(report) for report in running.engine.reports()] == [BatchDone]
