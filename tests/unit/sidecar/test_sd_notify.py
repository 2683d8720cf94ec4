"""What systemd is told, as its own socket would hear it."""

import logging
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wilor_sidecar.sd_notify import Notifier

PROCESS_ID = 4242


@pytest.fixture
def supervisor(short_dir: Path) -> Iterator[socket.socket]:
    """The supervisor's end, at `short_dir / "notify"`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(short_dir / "notify"))
        listening.setblocking(False)
        yield listening


@pytest.fixture
def notifier(supervisor: socket.socket) -> Iterator[Notifier]:
    """The daemon's end, with a watchdog of 10 s."""
    told = Notifier({"NOTIFY_SOCKET": supervisor.getsockname(), "WATCHDOG_USEC": "10000000"}, PROCESS_ID)
    yield told
    told.close()


def heard(supervisor: socket.socket) -> list[list[str]]:
    """The lines of each datagram that has come."""
    found = []
    while True:
        try:
            found.append(supervisor.recv(65536).decode().split("\n"))
        except BlockingIOError:
            return found


def test_a_life_as_systemd_hears_it(supervisor: socket.socket, notifier: Notifier) -> None:
    """It is ready after the warm-up and not before, ready once, and said to be stopping when it drains."""
    for state in ("loading", "warming", "ready", "loading", "ready", "draining", "stopped"):
        notifier.tell(state, "because")
    assert heard(supervisor) == [
        ["STATUS=loading: because"],
        ["STATUS=warming: because"],
        ["STATUS=ready: because", "READY=1"],
        ["STATUS=loading: because"],
        ["STATUS=ready: because"],
        ["STATUS=draining: because", "STOPPING=1"],
        ["STATUS=stopped: because"],
    ]


def test_a_degraded_daemon_has_started(supervisor: socket.socket, notifier: Notifier) -> None:
    """A model that cannot be loaded is no failed start: a restart would not help, and the daemon says what is wrong."""
    notifier.tell("degraded", "no such\nweights")
    assert heard(supervisor) == [["STATUS=degraded: no such weights", "READY=1"]]


def test_a_start_that_waits(supervisor: socket.socket, notifier: Notifier) -> None:
    """Systemd hears for what, and grants it the time."""
    notifier.wait("another\ndaemon is there", lease_s=600)
    assert heard(supervisor) == [["STATUS=starting: another daemon is there", "EXTEND_TIMEOUT_USEC=600000000"]]


def test_the_watchdog_is_fed(supervisor: socket.socket, notifier: Notifier) -> None:
    """A sign of life goes out when somebody watches."""
    assert notifier.watchdog_s == 10
    notifier.alive()
    assert heard(supervisor) == [["WATCHDOG=1"]]


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WATCHDOG_USEC": ""},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "x"},
        {"WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"},
    ],
)
def test_no_watchdog_for_this_process(supervisor: socket.socket, environment: dict[str, str]) -> None:
    """Nothing is fed that nobody watches, or that watches somebody else."""
    notifier = Notifier({"NOTIFY_SOCKET": supervisor.getsockname(), **environment}, PROCESS_ID)
    assert notifier.watchdog_s is None
    notifier.alive()
    notifier.close()
    assert heard(supervisor) == []


def test_the_watchdog_of_this_process() -> None:
    """WATCHDOG_PID names the process that is watched."""
    named = {"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": str(PROCESS_ID)}
    assert Notifier(named, PROCESS_ID).watchdog_s == 1.5


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "relative"])
def test_without_a_socket_it_is_silent(address: str) -> None:
    """At a terminal, under launchd, or with an address of another kind, nothing is sent and nothing fails."""
    notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "5"}, PROCESS_ID)
    notifier.tell("ready", "because")
    notifier.alive()
    notifier.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such sockets, and systemd")
def test_an_abstract_socket() -> None:
    """A name that begins with @ is not in the file system."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("")  # Linux chooses a free abstract name
        listening.setblocking(False)
        notifier = Notifier({"NOTIFY_SOCKET": "@" + listening.getsockname()[1:].decode()}, PROCESS_ID)
        notifier.tell("ready", "because")
        notifier.close()
        assert heard(listening) == [["STATUS=ready: because", "READY=1"]]


def test_a_supervisor_that_has_gone(
    supervisor: socket.socket, notifier: Notifier, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be told costs a line in the log, not the daemon."""
    Path(supervisor.getsockname()).unlink()
    with caplog.at_level(logging.WARNING):
        notifier.tell("ready", "because")
    assert "cannot be told STATUS=ready: because" in caplog.text
