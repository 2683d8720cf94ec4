"""Where the daemon's sockets stand in its run directory: made there, looked after, and removed at the end.

We make the listening sockets and libzmq takes them over. Left to itself it removes by name what stands at its address,
when it binds and when it closes: another daemon's socket too.
"""

import logging
import os
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import zmq

from wilor_sidecar.run_directory import RunDirectory, RunDirectoryError, check_free

log = logging.getLogger(__name__)

_KEEP_EVERY_S = 3600.0
"""The XDG specification asks those who use a runtime directory to touch their files every six hours."""
_LIBZMQ_MAKES_IT = -1
Socket = zmq.Socket[bytes]
Options = Callable[[Socket], AbstractContextManager[object]]
"""Sets options on a socket that hold for one place of it, and takes them back."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A socket's file, as it was made."""

    path: Path
    socket: Socket
    options: Options
    made: os.stat_result

    def is_ours(self) -> bool:
        """Whether the file that is there now is the one that we made."""
        try:
            return os.path.samestat(self.path.lstat(), self.made)
        except OSError:
            return False


class SocketPlaces:
    """The files of sockets that are bound.

    Attributes:
        directory: that they are in, taken.
    """

    def __init__(self, directory: RunDirectory) -> None:
        self.directory = directory
        self._places: dict[Path, _Place] = {}
        self._kept_at_s = time.monotonic()

    def bind(self, bound: Socket, path: Path, options: Options = nullcontext) -> None:
        """Bind a socket, beside where it is bound already: who is connected there stays so.

        Args:
            bound: by libzmq, which copies its options then.
            path: in the directory. What an earlier daemon has left there is removed.
            options: for this place alone.

        Raises:
            RunDirectoryError: something that is no socket stands there.
            OSError: a socket cannot be made.
        """
        check_free(path)
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listening, options(bound):
            listening.setblocking(False)
            listening.bind(os.fspath(path))
            listening.listen()
            self._places[path] = _Place(path, bound, options, path.lstat())
            bound.setsockopt(zmq.USE_FD, listening.fileno())
            bound.bind(f"ipc://{path}")
            bound.setsockopt(zmq.USE_FD, _LIBZMQ_MAKES_IT)
            listening.detach()

    def look_after(self) -> str:
        """Make again what somebody has removed, and keep from being removed what nobody has touched for long.

        Returns:
            Why there is no going on here; empty: there is.
        """
        if not self.directory.is_ours():
            return f"the run directory was taken away: {self.directory.path} is gone, or another daemon can take it"
        try:
            self._make_again()
        except (OSError, RunDirectoryError) as error:
            return f"a socket in the run directory was removed, and cannot be made again: {error}"
        self._keep()
        return ""

    def close(self) -> None:
        """Remove our files, and nobody else's. The sockets are not closed."""
        for place in self._places.values():
            if place.is_ours():
                place.path.unlink()

    def _make_again(self) -> None:
        for place in list(self._places.values()):
            if not place.is_ours():
                log.warning("%s was removed by somebody; it is made again", place.path)
                self.bind(place.socket, place.path, place.options)

    def _keep(self) -> None:
        now_s = time.monotonic()
        if now_s - self._kept_at_s > _KEEP_EVERY_S:
            self._kept_at_s = now_s
            self.directory.keep(place.path for place in self._places.values())
