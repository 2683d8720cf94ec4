"""The private directory that holds the daemon's sockets, and the lock that makes it one daemon's.

File permissions are the daemon's authentication: whoever may enter the directory may connect. The lock comes first:
whoever has it may make the sockets, and remove those that an earlier daemon has left.
"""

import contextlib
import fcntl
import os
import stat
import sys
import time
from collections.abc import Iterable
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
            check_free(socket_path(address))
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
    def requests(self) -> Path:
        """The socket for requests."""
        return socket_path(self.requests_address)

    @property
    def events(self) -> Path:
        """The socket for events."""
        return socket_path(self.events_address)

    @property
    def tcp_requests(self) -> Path:
        """The socket that requests over TCP are led to."""
        return self.path / _TCP_REQUESTS

    @property
    def tcp_events(self) -> Path:
        """The socket that subscribers over TCP are led to."""
        return self.path / _TCP_EVENTS

    def is_ours(self) -> bool:
        """Whether the lock's file is still in its place. Without it another process can take the directory."""
        try:
            return os.path.samestat((self.path / _LOCK).lstat(), os.fstat(self._lock))
        except OSError:
            return False

    def keep(self, files: Iterable[Path]) -> None:
        """Mark the lock and these files as in use: who cleans up takes what nobody has touched for long."""
        os.utime(self._lock)
        for file in files:
            with contextlib.suppress(FileNotFoundError):  # this very moment
                os.utime(file)

    def release(self) -> None:
        """Let the lock go. Its file stays: removing it could free a successor's."""
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
        own = (self.requests, self.events, self.tcp_requests, self.tcp_events)
        for file in (*own, *(self.path / name for name in (*others, _LOCK))):
            file.unlink(missing_ok=True)
        try:
            self.path.rmdir()
        except OSError:
            return False
        finally:
            os.close(self._lock)
        return True


def socket_path(address: str) -> Path:
    """Where the socket of an ipc address is."""
    return Path(address.removeprefix("ipc://"))


def holder_of(path: Path) -> int | None:
    """The process that holds a run directory; None: nobody does, as far as can be told."""
    try:
        descriptor = os.open(path / _LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        pid = int(os.pread(descriptor, 32, 0))
        os.kill(pid, 0)  # before the lock is tried, which would be in the way of who takes it at this moment
        return None if _locks(descriptor) else pid
    except (OSError, ValueError):
        return None
    finally:
        os.close(descriptor)


def _check_length(path: Path) -> None:
    excess = socket_path_excess(path, sys.platform)
    if excess > 0:
        raise RunDirectoryError(
            f"run directory {path}: {excess} bytes too long for a socket's path; choose a shorter one"
        )


def lost_socket(path: Path) -> str:
    """What is wrong where a daemon holds a run directory and cannot be reached in it, for people; empty: nothing is."""
    where = socket_path(requests_address(path))
    pid = None if where.exists() else holder_of(path)
    if pid is None:
        return ""
    return (
        f"a daemon (pid {pid}) runs, but somebody removed its socket {where}; it makes another within a second: if it "
        f"does not, end it with `kill {pid}` and start it again"
    )


def check_free(path: Path) -> None:
    """Look whether a socket can be made there: there may be an old one, or nothing.

    Raises:
        RunDirectoryError: something else stands there.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise RunDirectoryError(f"{path}: something that is no socket stands there; remove it")


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
