"""The private directory that holds the daemon's sockets, and the lock that makes it one daemon's.

File permissions are the daemon's authentication: whoever may enter the directory may connect. And libzmq's bind
silently takes an endpoint away from whoever had it, so the lock comes first.
"""

import fcntl
import os
import stat
import sys
import time
from pathlib import Path

from wilor_protocol.address import events_address, requests_address, socket_path_excess
from wilor_protocol.private_directory import NotPrivateError, make_private

_ASK_AGAIN_S = 0.1
_LOCK = "daemon.lock"
_TCP_REQUESTS, _TCP_EVENTS = "tcp-in", "tcp-out"
"""No longer than the names of the others: a socket's path must be short."""


class RunDirectoryError(Exception):
    """The directory cannot be used; the text says why and what would help."""


class AlreadyRunningError(RunDirectoryError):
    """Another daemon holds the directory."""


class RunDirectory:
    """A private directory, held by this process from `take` to `release`.

    Attributes:
        path: of the directory.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def take(cls, path: Path, *, patience_s: float = 0) -> "RunDirectory":
        """Make the directory if need be, check that it is private, and lock it.

        Args:
            path: of the directory.
            patience_s: how long to wait for another daemon to end.

        Raises:
            RunDirectoryError: its path is too long for a socket, it belongs to somebody else, is open to others, is a
                symbolic link, or something other than a socket stands where a socket must go.
            AlreadyRunningError: another process holds it.
        """
        path = path.absolute()
        _check_length(path)
        try:
            make_private(path)
        except NotPrivateError as error:
            raise RunDirectoryError(f"run directory {error}") from error
        for address in (requests_address(path), events_address(path)):
            _check_free(Path(address.removeprefix("ipc://")))
        return cls(path, _locked(path / _LOCK, patience_s))

    @property
    def requests_address(self) -> str:
        """Where requests are answered."""
        return requests_address(self.path)

    @property
    def events_address(self) -> str:
        """Where events are published."""
        return events_address(self.path)

    @property
    def tcp_requests(self) -> Path:
        """The socket that requests over TCP are led to."""
        return self.path / _TCP_REQUESTS

    @property
    def tcp_events(self) -> Path:
        """The socket that subscribers over TCP are led to."""
        return self.path / _TCP_EVENTS

    def release(self) -> None:
        """Remove the sockets and let the lock go. The lock's file stays: removing it could free a successor's."""
        self._remove_sockets()
        os.close(self._lock)

    def discard(self, *others: str) -> bool:
        """Remove what daemons keep in it, and the directory, while nobody else can take it.

        A daemon that waits for the lock at this moment would wait for one that is no more: for a place that is given
        up, not between two daemons.

        Args:
            others: names of files that this class does not know.

        Returns:
            Whether it is gone; False: there are files of somebody else's in it, which stay.
        """
        self._remove_sockets()
        for name in (*others, _LOCK):
            (self.path / name).unlink(missing_ok=True)
        try:
            self.path.rmdir()
        except OSError:
            return False
        finally:
            os.close(self._lock)
        return True

    def _remove_sockets(self) -> None:
        for address in (self.requests_address, self.events_address):
            Path(address.removeprefix("ipc://")).unlink(missing_ok=True)
        for inside in (self.tcp_requests, self.tcp_events):
            inside.unlink(missing_ok=True)


def _check_length(path: Path) -> None:
    excess = socket_path_excess(path, sys.platform)
    if excess > 0:
        raise RunDirectoryError(
            f"run directory {path}: {excess} bytes too long for a socket's path; choose a shorter one"
        )


def _check_free(socket_path: Path) -> None:
    try:
        found = socket_path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise RunDirectoryError(f"{socket_path}: something that is no socket stands there; remove it")


def _locked(path: Path, patience_s: float) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise RunDirectoryError(f"{path}: cannot be opened as a lock: {error.strerror}") from error
    deadline = time.monotonic() + patience_s
    while not _locks(descriptor):
        if time.monotonic() >= deadline:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise AlreadyRunningError(f"{path.parent}: a daemon (pid {holder or 'unknown'}) is already running there")
        time.sleep(_ASK_AGAIN_S)
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def _locks(descriptor: int) -> bool:
    """Lock it, if nobody else has. The kernel drops a flock when its holder dies, however it dies."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
