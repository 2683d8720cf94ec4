"""The engine's thread, with networks that fail, hang and lie."""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec
import numpy as np
import pytest

from wilor_protocol.requests import EncodedImage, HandCrop, PingRequest
from wilor_protocol.version import PROTOCOL_VERSION
from wilor_sidecar.engine import Broken, Echoed, Engine, Loaded, LoadFailed, Report, Unloaded, WarmedUp
from wilor_sidecar.estimator import BadImageError
from wilor_sidecar.pulse import Task
from wilor_sidecar.runner import BatchDone, Network

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
    wait_for,
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


def raising(error: BaseException) -> Callable[..., Outputs]:
    """A network's part that always fails."""

    def fail(*_: object) -> Outputs:
        raise error

    return fail


def poisoned(crops: Crops) -> Outputs:
    """Outputs with one NaN among them."""
    outputs = outputs_of(crops)
    outputs["pred_cam"][0, 0] = np.nan
    return outputs


def test_a_start_is_reported_in_two_steps(start: Start) -> None:
    """First what was loaded, then, when every batch size has run, the memory in use."""
    network = FakeNetwork()
    running = start(network.load)
    loaded = running.next(Loaded)
    assert (loaded.info, loaded.device) == (MODEL, DEVICE)
    assert loaded.faces is network.faces
    assert running.next(WarmedUp).memory == MEMORY
    assert network.batches == [1, 2, 4, 8, 1]
    assert network.calls == ["load", *["warm_up"] * 4, "run", "memory"]


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


def test_a_network_that_gives_nonsense_never_becomes_warm(start: Start) -> None:
    """Weights that load and run, but give NaN for a black crop, are as good as none."""
    running = start(FakeNetwork(poisoned).load)
    running.next(Loaded)
    assert "pred_cam is not finite" in running.next(LoadFailed).why


GPU_TIMEOUT = RuntimeError("[METAL] Command buffer execution failed: Caused GPU Timeout Error")


def test_a_device_that_fails_once_in_the_load_gets_a_second_try(start: Start) -> None:
    """The network is loaded again; nobody hears of the first time."""
    network = FakeNetwork()

    def load() -> Network:
        network.load()
        if network.calls.count("load") == 1:
            raise GPU_TIMEOUT
        return network

    start(load).until_warm()
    assert network.calls.count("load") == 2


def test_a_device_that_fails_once_in_the_warm_up_gets_a_second_try(start: Start) -> None:
    """After a recovery every batch size runs once more, on the network that is there."""

    def fail_once(size: int) -> None:
        if size == 4 and "recover" not in network.calls:
            raise GPU_TIMEOUT

    network = FakeNetwork()
    network.on_warm_up = fail_once
    running = start(network.load)
    running.until_warm()
    assert network.calls == ["load", *["warm_up"] * 3, "recover", *["warm_up"] * 4, "run", "memory"]


def test_a_device_that_fails_twice_before_it_is_warm_is_lost(start: Start) -> None:
    """Another process may have better luck; nothing is closed, which could wait for the device."""
    network = FakeNetwork()
    network.on_warm_up = raising(GPU_TIMEOUT)  # type: ignore[assignment]
    running = start(network.load)
    running.next(Loaded)
    assert "twice before the network was ready: [METAL]" in running.next(Broken).why
    assert running.engine.stop(UNIT_S)
    assert "close" not in network.calls

    running = start(raising(GPU_TIMEOUT))
    assert "twice before the network was ready: [METAL]" in running.next(Broken).why


def test_another_failure_at_the_second_try_is_a_failed_load(start: Start) -> None:
    """It is told as what it is."""
    network = FakeNetwork()
    errors = iter([GPU_TIMEOUT, ValueError("no such file")])
    network.on_warm_up = lambda _: raising(next(errors))()  # type: ignore[assignment]
    running = start(network.load)
    running.next(Loaded)
    assert running.next(LoadFailed).why == "no such file"


def test_after_a_failed_load_the_engine_can_start_again(start: Start) -> None:
    """The failure is the thread's last word: what was loaded is closed before it, and a start waits for nothing."""
    network = FakeNetwork()
    closing = threading.Event()
    network.on_warm_up = raising(ValueError("not yet"))  # type: ignore[assignment]
    network.close = closing.set  # type: ignore[method-assign]
    running = start(network.load)
    running.next(Loaded)
    running.next(LoadFailed)
    assert closing.is_set()
    network.on_warm_up = lambda _: None
    running.engine.start()
    running.until_warm()


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


def test_a_broken_network_ends_the_thread(start: Start) -> None:
    """When the device fails twice in a row the senders are told, then that nothing will come any more."""
    network = FakeNetwork()
    running = start(network.load)
    running.until_warm()
    error = RuntimeError("[METAL] Command buffer execution failed: Caused GPU Timeout Error")
    network.run = raising(error)
    running.engine.run([job_of(request_of())] * 2)
    assert running.next(BatchDone).results == [error, error]
    assert "Caused GPU Timeout Error" in running.next(Broken).why
    assert running.engine.stop(UNIT_S)
    assert "close" not in network.calls, "closing could wait for a device that never answers"


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_a_thread_that_dies_says_so(start: Start, error: BaseException) -> None:
    """Whatever ends the thread, even what no `except Exception` catches, is reported as its end."""
    network = FakeNetwork()
    running = start(network.load)
    running.until_warm()
    network.run = raising(error)
    running.engine.run([job_of(request_of())])
    assert repr(error) in running.next(Broken).why
    wait_for(lambda: running.engine.pulse.task is None, "rest")


def test_an_unreadable_image_fails_its_own_job(start: Start) -> None:
    """It is found when the batch is made up, and costs the others nothing, and the network no second try."""
    running = start(FakeNetwork().load)
    running.until_warm()
    no_image = HandCrop(crop=EncodedImage(codec="png", data=b"no image"), side="left")
    running.engine.run([job_of(request_of()), job_of(request_of([no_image])), job_of(request_of())])
    done = running.next(BatchDone)
    assert [type(result) for result in done.results] == [list, BadImageError, list]
    assert not done.was_retried


def test_a_batch_of_unreadable_images_does_not_reach_the_network(start: Start) -> None:
    """There is nothing to run."""
    network = FakeNetwork()
    running = start(network.load)
    running.until_warm()
    network.calls.clear()
    no_image = HandCrop(crop=EncodedImage(codec="jpeg", data=b"no image"), side="left")
    running.engine.run([job_of(request_of([no_image]))])
    assert [type(result) for result in running.next(BatchDone).results] == [BadImageError]
    assert "run" not in network.calls


class StandingClock:
    """In the place of the engine's `time`: no time passes but what a test adds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        monkeypatch.setattr("wilor_sidecar.engine.time", self)

    def monotonic(self) -> float:
        return self.now_s


def test_what_the_thread_does_can_be_seen(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """From outside: loading, warming up, running a batch, each with its limit; and nothing while it waits."""
    StandingClock(monkeypatch)
    seen = []
    network = FakeNetwork()

    def look(*_: object) -> None:
        task = running.engine.pulse.task
        assert task is not None
        seen.append((task.name, task.limit_s))

    running: Running
    network.on_warm_up = look
    network.run = lambda crops: look() or outputs_of(crops)  # type: ignore[func-returns-value]
    entered, released = threading.Event(), threading.Event()

    def load() -> Network:
        entered.set()
        released.wait(UNIT_S)
        look()
        return network.load()

    running = start(load)
    assert entered.wait(UNIT_S)
    released.set()
    running.until_warm()
    running.engine.run([job_of(request_of([hand_of()] * 3))])
    running.next(BatchDone)
    names = [name for name, _ in seen]
    assert names == [
        "loading",
        *(f"warming up for batches of {batch}" for batch in (1, 2, 4, 8)),
        "testing the network",
        "running a batch of 3",
    ]
    assert seen[-1][1] == 5.0
    assert min(limit for _, limit in seen[:-1]) > 60
    wait_for(lambda: running.engine.pulse.task is None, "rest")


@pytest.mark.parametrize(
    ("device", "took_s", "limit_s"), [("gpu", 0.2, 6.4), ("gpu", 0.1, 5.0), ("cpu", 0.2, 204.8), ("cpu", 0.7, 600.0)]
)
def test_a_slow_network_may_take_longer(
    start: Start, monkeypatch: pytest.MonkeyPatch, device: str, took_s: float, limit_s: float
) -> None:
    """What counts as a hang follows from how long one crop took when everything was warm; on a CPU, whose cores others
    use too, it has to be much longer. There is a least, and a most.
    """
    clock = StandingClock(monkeypatch)

    def slow(crops: Crops) -> Outputs:
        clock.now_s += took_s
        return outputs_of(crops)

    network = FakeNetwork(slow)
    network.device = msgspec.structs.replace(DEVICE, name=device)
    running = start(network.load)
    running.until_warm()
    seen: list[Task | None] = []
    network.run = lambda crops: seen.append(running.engine.pulse.task) or outputs_of(crops)  # type: ignore[func-returns-value]
    running.engine.run([job_of(request_of())])
    running.next(BatchDone)
    assert seen[0] is not None
    assert seen[0].limit_s == pytest.approx(limit_s)


def test_unloading_lets_go_and_starting_brings_back(start: Start) -> None:
    """The work at hand is finished, the network closed on its own thread, and a new start has a new thread."""
    network = FakeNetwork()
    running = start(network.load)
    running.until_warm()
    running.engine.run([job_of(request_of())])
    running.engine.unload()
    running.next(BatchDone)
    assert running.next(Unloaded).memory == MEMORY
    assert network.calls[-2:] == ["close", "memory"], "what is in use is told as it is when the network is gone"
    running.engine.start()
    running.until_warm()
    running.engine.run([job_of(request_of())])
    assert isinstance(running.next(BatchDone).results[0], list)
    assert network.calls.count("load") == 2


def test_staying_warm_reports_nothing(start: Start) -> None:
    """It is a small piece of work on the engine's thread, and nobody waits for it."""
    network = FakeNetwork()
    running = start(network.load)
    running.until_warm()
    running.engine.stay_warm()
    running.engine.echo(ROUTE, PING)
    running.next(Echoed)
    assert network.calls.count("stay_warm") == 1
    assert len(network.threads) == 1


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

    network = FakeNetwork()
    running = start(network.load)
    running.until_warm()
    network.run = hang
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
