"""Tells systemd how the daemon is: sd_notify(3), a datagram of `NAME=value` lines to the socket that it names.

launchd has nothing of the kind; there, and at a terminal, a `Notifier` says nothing.
"""

import logging
import os
import socket
from collections.abc import Mapping

from wilor_protocol.replies import State

log = logging.getLogger(__name__)

_START_IS_OVER: tuple[State, ...] = ("ready", "degraded")
"""`degraded` too: the daemon serves, and says what is wrong. Were it never ready, systemd would kill and restart it."""


class Notifier:
    """The way to the supervisor. Datagrams are never waited for: what cannot be sent is lost.

    Attributes:
        watchdog_s: how often at least `alive` is expected to be called; None: nobody watches.
    """

    def __init__(self, environment: Mapping[str, str], process_id: int) -> None:
        """Look for the supervisor's socket.

        Args:
            environment: of the process; NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID count.
            process_id: of the process.
        """
        self.watchdog_s = _watchdog_s(environment, process_id)
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
        self._has_started = False

    @classmethod
    def of_this_process(cls) -> "Notifier":
        """The one that this process was started with."""
        return cls(os.environ, os.getpid())

    def tell(self, state: State, reason: str) -> None:
        """Say which state the daemon is in now, and why: READY once its start is over, STOPPING on its way out."""
        lines = [f"STATUS={state}: {' '.join(reason.split())}"]
        if state in _START_IS_OVER and not self._has_started:
            self._has_started = True
            lines.append("READY=1")
        if state == "draining":
            lines.append("STOPPING=1")
        self._send(lines)

    def wait(self, why: str, *, lease_s: float) -> None:
        """Say that the start waits, and may.

        Args:
            why: for people.
            lease_s: how long it may take from now on, beyond what systemd would allow; to be said again before.
        """
        self._send([f"STATUS=starting: {' '.join(why.split())}", f"EXTEND_TIMEOUT_USEC={round(lease_s * 1e6)}"])

    def alive(self) -> None:
        """Feed the watchdog."""
        if self.watchdog_s is not None:
            self._send(["WATCHDOG=1"])

    def close(self) -> None:
        """Say no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, lines: list[str]) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            log.warning("the supervisor cannot be told %s: %s", lines[0], error.strerror)


def _address(named: str) -> str:
    """A path, or with @ an abstract name, as the socket module writes it; empty for any other kind, and none."""
    if named.startswith("@"):
        return "\0" + named[1:]
    return named if named.startswith("/") else ""


def _watchdog_s(environment: Mapping[str, str], process_id: int) -> float | None:
    meant_for = environment.get("WATCHDOG_PID", "")
    microseconds = environment.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or meant_for not in ("", str(process_id)):
        return None
    return int(microseconds) / 1e6 or None
