"""The daemon as systemd starts it, with the supervisor's socket held by the test."""

import socket
from pathlib import Path

from wilor_sidecar.daemon_process import DaemonProcess

WAIT_S = 60


def test_systemd_hears_a_life(short_dir: Path) -> None:
    """READY=1 comes after the warm-up and not before, signs of life while it lives, STOPPING=1 when told to stop."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(short_dir / "notify"))
        supervisor.settimeout(WAIT_S)
        variables = {"NOTIFY_SOCKET": supervisor.getsockname(), "WATCHDOG_USEC": "30000000"}
        with DaemonProcess(environment=variables) as daemon:
            assert next_news(supervisor)[0].startswith("STATUS=loading: ")
            assert next_news(supervisor)[0].startswith("STATUS=warming: ")
            status, ready = next_news(supervisor)
            assert status.startswith("STATUS=ready: serving ")
            assert ready == "READY=1"
            assert [next_lines(supervisor) for _ in range(2)] == [["WATCHDOG=1"]] * 2
            assert daemon.stop() == 0
            assert next_news(supervisor) == ["STATUS=draining: asked to stop", "STOPPING=1"]


def next_lines(supervisor: socket.socket) -> list[str]:
    """The next datagram's lines."""
    return supervisor.recv(65536).decode().split("\n")


def next_news(supervisor: socket.socket) -> list[str]:
    """The next datagram's lines that are no mere sign of life."""
    while (lines := next_lines(supervisor)) == ["WATCHDOG=1"]:
        pass
    return lines
