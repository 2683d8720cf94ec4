"""What the daemon and its client never do: call out, start processes, unpickle; and share a connection with a fork."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.e2e.audited_daemon import CONTROLS
from wilor_client import HandClient, HandEvents
from wilor_sidecar.daemon_process import DaemonProcess

ROOT = Path(__file__).parents[2]


def audited_daemon(log: Path, control: str = "") -> DaemonProcess:
    """The daemon with its embedded model, under Python's audit hook."""
    log.touch()
    environment = {"PYTHONPATH": str(ROOT), "AUDIT_LOG": str(log), "AUDIT_CONTROL": control}
    return DaemonProcess(environment=environment, module="tests.e2e.audited_daemon")


def children_seen(pid: int) -> int:
    """Page faults of the processes that this one has started and waited for; also of those that C code started.

    Where Linux does not tell, 0: the audit hook still sees those that Python starts.
    """
    if sys.platform != "linux":
        return 0
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[8])


def test_it_calls_nobody_and_starts_nothing(tmp_path: Path, pixels: NDArray[np.uint8]) -> None:
    """From start to stop, with clients served: no network, no name looked up, no process, nothing unpickled."""
    log = tmp_path / "audit"
    with audited_daemon(log) as daemon, HandClient(daemon.requests_address, timeout_ms=20_000) as client:
        daemon.wait_until("ready")
        before = children_seen(daemon.process.pid)
        with HandEvents(client.source, daemon.events_address):
            assert len(client.estimate(pixels[0], "right").hands) == 1
        client.status(), client.hello(), client.topology(), client.ping(deep=True)
        assert children_seen(daemon.process.pid) == before
        assert daemon.stop() == 0
    assert log.read_text() == ""


@pytest.mark.parametrize("control", CONTROLS)
def test_control_what_is_never_done_would_be_seen(tmp_path: Path, control: str) -> None:
    """Control: a daemon that does it once while it loads is found out."""
    log = tmp_path / "audit"
    with audited_daemon(log, control) as daemon:
        daemon.wait_until("ready")
        assert daemon.stop() == 0
    assert CONTROLS[control][0] in log.read_text().split()


_FORK = """
import os, sys
from wilor_client import ForkedError, HandClient, HandEvents

def is_refused(call):
    try:
        call()
    except ForkedError as error:
        return str(os.getppid()) in str(error)
    return False

with HandClient(sys.argv[1], timeout_ms=20_000) as client, HandEvents("cam", sys.argv[2]) as events:
    client.ping()
    if not (child := os.fork()):
        are_refused = is_refused(client.ping) and is_refused(lambda: events.next(0))
        client.close()
        with HandClient(sys.argv[1], timeout_ms=20_000) as own:
            own.ping()
        os._exit(0 if are_refused else 1)
    assert os.waitpid(child, 0)[1] == 0, "the fork"
    client.ping()
"""


def test_a_fork_is_told_to_make_its_own_connection(daemon: DaemonProcess) -> None:
    """In the child of a fork a call raises at once and names both processes; the parent's connection goes on."""
    command = [sys.executable, "-c", _FORK, daemon.requests_address, daemon.events_address]
    subprocess.run(command, check=True, timeout=60)
