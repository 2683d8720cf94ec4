"""The daemon under mixed traffic for twenty minutes: good clients and bad ones, that come, go and are killed.

`make soak` runs it, `SOAK_MINUTES=3 make soak` a shorter one, which says less: what grows slowly at first may stop.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import theilslopes

from tests.e2e.faulty_daemon import Fault, faulty_daemon
from tests.e2e.processes import open_files, resident_bytes, threads
from tests.unit.sidecar.fakes import wait_for
from wilor_client import HandClient
from wilor_sidecar.daemon_process import DaemonProcess

from .traffic import KINDS

MINUTES = float(os.environ.get("SOAK_MINUTES", "20"))
CONTROL_MINUTES = min(MINUTES, 3.0)
SEED = int(os.environ.get("SOAK_SEED", "1"))
MOST_BYTES_A_REQUEST = 30.0
WAIT_S = 60
_EACH = {"camera": 2, "asker": 1, "listener": 2, "watcher": 1, "vandal": 1}
_KILL_EVERY_S = 3.0
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1"}
_ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.soak,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]


class Traffic:
    """Clients in processes of their own. Every few seconds one is killed, and another of its kind takes its place."""

    def __init__(self, daemon: DaemonProcess, mark: Fault) -> None:
        self._daemon = daemon
        self._mark = mark
        self._chance = random.Random(SEED)
        self._clients = [(kind, self._start(kind)) for kind, count in _EACH.items() for _ in range(count)]
        self._kill_at = time.monotonic() + _KILL_EVERY_S

    def _start(self, kind: str) -> subprocess.Popen[bytes]:
        assert kind in KINDS
        words = (kind, self._daemon.run_dir, self._chance.randrange(2**32), int(self._mark))
        command = [sys.executable, "-m", "tests.soak.traffic", *map(str, words)]
        return subprocess.Popen(command, cwd=_ROOT)

    def go_on(self) -> None:
        """See that all are well; kill one, now and then."""
        assert self._daemon.process.poll() is None, f"the daemon has ended:\n{self._daemon.log()[-5000:]}"
        assert [kind for kind, client in self._clients if client.poll() is not None] == [], "it was let down"
        if time.monotonic() < self._kill_at:
            return
        self._kill_at += _KILL_EVERY_S
        unlucky = self._chance.randrange(len(self._clients))
        kind, client = self._clients[unlucky]
        client.kill()
        client.wait()
        self._clients[unlucky] = (kind, self._start(kind))

    def end(self) -> None:
        """Kill all."""
        for _, client in self._clients:
            client.kill()
            client.wait()


@contextmanager
def traffic_to(daemon: DaemonProcess, mark: Fault) -> Iterator[Traffic]:
    """Traffic, from `with` to the end of its block."""
    traffic = Traffic(daemon, mark)
    try:
        yield traffic
    finally:
        traffic.end()


@pytest.fixture(autouse=True)
def _frugal_malloc(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the daemons free goes back to the system at once. Otherwise glibc keeps it, here and there, for some 20 MB
    of ups and downs that hide a leak or look like one.
    """
    for name, value in _MALLOC.items():
        monkeypatch.setenv(name, value)


@dataclass
class Course:
    """What was seen once a second.

    Attributes:
        resident: bytes in memory.
        own: of them, without what MLX says that it uses and keeps: its share moves with the sizes of batches.
        requests: that the daemon could read, and that it could not, until then.
    """

    at_s: list[float] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)
    own: list[int] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)

    def look(self, daemon: DaemonProcess, client: HandClient) -> None:
        """Look now."""
        self.at_s.append(time.monotonic())
        self.resident.append(resident_bytes(daemon.process.pid))
        status = client.status()
        assert status.memory
        self.own.append(self.resident[-1] - status.memory.active - status.memory.cache)
        counters = status.counters
        read = sum(count for name, count in counters.items() if name.startswith("requests_"))
        self.requests.append(read + counters.get("refused_bad_request", 0))

    def growth(self, sizes: list[int]) -> tuple[float, float]:
        """Bytes an hour and bytes a request in the second half: the median of all slopes, which no spike can move."""
        half = len(self.at_s) // 2
        an_hour = theilslopes(sizes[half:], self.at_s[half:])[0] * 3600
        requests_an_hour = (self.requests[-1] - self.requests[half]) / (self.at_s[-1] - self.at_s[half]) * 3600
        return float(an_hour), float(an_hour / requests_an_hour)


def soaked(daemon: DaemonProcess, minutes: float, mark: Fault = Fault.NONE) -> Course:
    """Let the daemon have traffic for so long; it must be as it was afterwards."""
    daemon.wait_until("ready")
    course = Course()
    with HandClient(daemon.requests_address, timeout_ms=WAIT_S * 1000) as client:
        client.ping(deep=True)
        before = open_files(daemon.process.pid), threads(daemon.process.pid)
        with traffic_to(daemon, mark) as traffic:
            ends = time.monotonic() + minutes * 60
            while time.monotonic() < ends:
                traffic.go_on()
                course.look(daemon, client)
                time.sleep(1)
        wait_for(lambda: open_files(daemon.process.pid) <= before[0], "all their files are closed", WAIT_S)
        assert threads(daemon.process.pid) <= before[1]
        wait_for(lambda: client.status().subscriptions == (), "nobody subscribes", WAIT_S)
        print(sorted(client.status().counters.items()))
    assert daemon.stop() == 0, daemon.log()
    return course


def told(course: Course) -> float:
    """Say what was seen; returns bytes a request, without MLX's."""
    print(f"{course.requests[-1]} requests in {course.at_s[-1] - course.at_s[0]:.0f} s")
    for what, sizes in (("resident", course.resident), ("without MLX's", course.own)):
        tenths = [f"{float(np.median(part)) / 1e6:.1f}" for part in np.array_split(sizes, 10)]
        an_hour, a_request = course.growth(sizes)
        print(f"{what}: medians of tenths {' '.join(tenths)} MB")
        print(f"{what}, second half: {an_hour / 1e6:+.2f} MB an hour, {a_request:+.1f} bytes a request")
    return course.growth(course.own)[1]


def test_it_does_not_grow() -> None:
    """The real network: no growth in the second half; files, threads and subscriptions are as before."""
    with DaemonProcess() as daemon:
        assert told(soaked(daemon, MINUTES)) < MOST_BYTES_A_REQUEST


def test_without_a_leak_the_control_does_not_grow() -> None:
    """The daemon of the control below, as it is, for as long."""
    with faulty_daemon() as daemon:
        assert told(soaked(daemon, CONTROL_MINUTES)) < MOST_BYTES_A_REQUEST


def test_control_a_kilobyte_a_request_is_caught() -> None:
    """Control: a network that keeps 1 kB of each of its requests is found out in three minutes."""
    with faulty_daemon() as daemon:
        assert told(soaked(daemon, CONTROL_MINUTES, Fault.LEAK_LITTLE)) > MOST_BYTES_A_REQUEST
