"""Who hangs is reported, and then ended; who waits, works or was stopped is not."""

import logging
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from wilor_sidecar import watchdog as watchdog_module
from wilor_sidecar.logs import BoundedFormatter, PrivateFile, Sparing
from wilor_sidecar.pulse import Pulse, Task
from wilor_sidecar.watchdog import GRACE_S, LOOK_EVERY_S, Watchdog

from .fakes import UNIT_S, wait_for

LOOKS_A_SECOND = round(1 / LOOK_EVERY_S)


class Watched:
    """Two pulses and a watchdog, which looks when it is told to."""

    def __init__(self) -> None:
        self.engine, self.other = Pulse("engine"), Pulse("other")
        self.warnings: list[str] = []
        self.ends: list[str] = []
        self.watchdog = Watchdog([self.engine, self.other], warn=self.warnings.append, end=self.ends.append)

    def look(self, times: int) -> None:
        """Look so often, one right after the other."""
        for _ in range(times):
            self.watchdog.look()


@pytest.fixture
def watched() -> Watched:
    """Nothing has been looked at yet."""
    return Watched()


@pytest.fixture
def started(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """Its thread looks, a hundred times as often as it would, until the end of the test."""
    waits = threading.Event.wait
    monkeypatch.setattr(threading.Event, "wait", lambda self, timeout=None: waits(self, _hundredth(timeout)))
    watched.watchdog.start()
    yield watched
    watched.watchdog.stop()


def _hundredth(timeout_s: float | None) -> float | None:
    return LOOK_EVERY_S / 100 if timeout_s == LOOK_EVERY_S else timeout_s


def test_a_hang_is_warned_of_and_then_ended(started: Watched, caplog: pytest.LogCaptureFixture) -> None:
    """First one warning; then, when nothing changes, the end."""
    with caplog.at_level(logging.CRITICAL):
        started.engine.begin("running a batch of 8", 5.0)
        wait_for(lambda: bool(started.ends), "the end")
    assert started.warnings == ["the engine hangs: running a batch of 8 for over 5 s"]
    assert started.ends[0] == started.warnings[0]
    wait_for(lambda: started.warnings[0] in caplog.text, "a line in the log")


def test_the_warning_comes_at_the_limit_and_the_end_a_grace_later(watched: Watched) -> None:
    """Not a look sooner."""
    watched.engine.begin("running a batch of 8", 5.0)
    watched.look(5 * LOOKS_A_SECOND - 1)
    assert watched.warnings == []
    watched.look(1)
    assert len(watched.warnings) == 1
    watched.look(round(GRACE_S * LOOKS_A_SECOND) - 1)
    assert watched.ends == []
    watched.look(1)
    assert len(watched.ends) == len(watched.warnings) == 1


def test_the_log_says_first_where_the_thread_that_hangs_stands(watched: Watched, tmp_path: Path) -> None:
    """However many other threads there are, and however deep in something: the log is sparing, and cuts its lines."""
    has_ended = threading.Event()

    def deep(calls: int) -> None:
        if calls:
            deep(calls - 1)
        else:
            has_ended.wait()

    def stuck_here() -> None:
        watched.engine.begin("running a batch of 8", 1.0)
        has_ended.wait()

    handler = PrivateFile(tmp_path / "log")
    handler.setFormatter(BoundedFormatter("%(message)s"))
    handler.addFilter(Sparing())
    logger = logging.getLogger("wilor_sidecar")
    logger.addHandler(handler)
    others = [threading.Thread(target=deep, args=(200,), name=f"other {number}") for number in range(8)]
    threads = [*others, threading.Thread(target=stuck_here, name="the engine's")]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: len(has_ended._cond._waiters) == len(threads), "all of them in `wait`")  # type: ignore[attr-defined]
        watched.look(LOOKS_A_SECOND)
        wait_for(lambda: bool((tmp_path / "log").read_text()), "a line in the log")
    finally:
        has_ended.set()
        for thread in threads:
            thread.join()
        logger.removeHandler(handler)
        handler.close()
    said = (tmp_path / "log").read_text()
    assert said.count("\n") == 1
    assert re.match(
        r"the engine hangs: running a batch of 8 for over 1 s\. the engine's is in wait .*< stuck_here \(", said
    ), said[:300]


def test_who_stops_the_watchdog_waits_for_the_log(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends right after it, and where the thread hung is known nowhere else."""
    written: list[str] = []

    def slow_log(message: str, *arguments: object) -> None:
        threading.Event().wait(0.1)
        written.append(message % arguments)

    monkeypatch.setattr(watchdog_module.log, "critical", slow_log)
    watched.engine.begin("running a batch of 8", 1.0)
    watched.look(LOOKS_A_SECOND)
    watched.watchdog.stop()
    assert "the engine hangs" in written[0]


def test_every_thread_is_watched(watched: Watched) -> None:
    """The second as the first."""
    watched.other.begin("answering", 1.0)
    watched.look(2 * LOOKS_A_SECOND)
    assert "the other hangs: answering" in watched.ends[0]


def test_a_task_that_ends_during_the_grace_ends_nothing(watched: Watched) -> None:
    """Late is not dead."""
    watched.engine.begin("running a batch of 1", 1.0)
    watched.look(LOOKS_A_SECOND)
    assert len(watched.warnings) == 1
    watched.engine.rest()
    watched.engine.begin("running a batch of 2", 1e9)
    watched.look(6 * LOOKS_A_SECOND)
    assert watched.ends == []


def test_new_tasks_are_no_hang(watched: Watched) -> None:
    """Work that goes on, each piece in its time, may go on for ever; even when it has the same name."""
    for _ in range(20):
        watched.engine.begin("running a batch of 1", 1.0)
        watched.look(LOOKS_A_SECOND - 1)
    assert watched.warnings == []


def test_waiting_is_no_hang(watched: Watched) -> None:
    """A thread without a task is idle, however long."""
    watched.engine.begin("loading", 1.0)
    watched.engine.rest()
    watched.look(20 * LOOKS_A_SECOND)
    assert watched.warnings == []


def test_a_stopped_watchdog_watches_no_more(started: Watched) -> None:
    """On the way out nobody is ended."""
    started.watchdog.stop()
    started.engine.begin("closing", 2 * LOOK_EVERY_S)  # a look may be under way
    started.watchdog._thread.join(UNIT_S)
    assert not started.watchdog._thread.is_alive()
    assert started.warnings == []


def test_time_without_looks_does_not_count() -> None:
    """After a night asleep, or a SIGSTOP, a task that began before has not hung: looks count, no clock does."""
    pulse = Pulse("engine")
    watched = watchdog_module._Watched(pulse)
    pulse.begin("running a batch of 1", 1.0)
    assert [watched.look() >= 0 for _ in range(5)] == [False, False, False, True, True]
    long_ago = Task("running a batch of 1", 1.0, started_at_ns=0, thread_id=0)
    pulse.task = long_ago
    assert [watched.look() >= 0 for _ in range(4)] == [False, False, False, True]


def test_a_task_is_overdue_after_its_limit() -> None:
    """A thread at rest never is, a busy one only when its task takes longer than it may."""
    pulse = Pulse("engine")
    assert not pulse.is_overdue(2**62)
    pulse.begin("running", 5)
    assert pulse.task is not None
    began_ns = pulse.task.started_at_ns
    assert not pulse.is_overdue(began_ns + 5_000_000_000)
    assert pulse.is_overdue(began_ns + 5_000_000_001)
    pulse.rest()
    assert not pulse.is_overdue(2**62)
