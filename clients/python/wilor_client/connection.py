"""A socket to the daemon that is there from `with` to the end of its block, and finds a daemon that restarts."""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import zmq

from wilor_client.deadline import Deadline
from wilor_client.errors import ClosedError, ForkedError, InUseError, SocketError
from wilor_client.keys import ClientKeys

_OPTIONS = {
    zmq.LINGER: 0,
    zmq.RECONNECT_IVL: 20,
    zmq.RECONNECT_IVL_MAX: 100,
    zmq.IPV6: 1,
    zmq.TCP_KEEPALIVE: 1,
}


class Connection:
    """One socket in a context of its own, for one thread at a time: it may be handed over, but not shared.

    Attributes:
        address: that it connects to.
    """

    def __init__(
        self, kind: int, address: str, keys: ClientKeys | None, options: Mapping[zmq.SocketOption, int | bytes]
    ) -> None:
        """Begin to connect, without waiting for anybody.

        Args:
            kind: of socket.
            address: one that `addresses` has checked.
            keys: for a daemon that asks for them; None: none.
            options: of the socket, besides those that all have.

        Raises:
            SocketError: the system gives no socket.
        """
        self.address = address
        self._process_id = os.getpid()
        self._in_use = threading.Lock()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            self._socket = self._context.socket(kind)
            for option, value in {**_OPTIONS, **options}.items():
                self._socket.setsockopt(option, value)
            if keys is not None:
                keys.put_on(self._socket)
            self._socket.connect(address)
        except zmq.ZMQError as error:
            self._context.destroy()
            raise SocketError(error.errno, f"connecting to {address}: {error.strerror}") from error

    @contextmanager
    def _held(self) -> Iterator[None]:
        """The socket, for this thread alone. Two at once would take each other's replies, or end the process.

        Raises:
            ForkedError: this is not the process that made it.
            InUseError: another thread holds it.
            ClosedError: it was closed.
            SocketError: what ZeroMQ raised meanwhile.
        """
        if os.getpid() != self._process_id:
            raise ForkedError(
                f"this connection to {self.address} was made by process {self._process_id}, before it forked; "
                f"make another one in process {os.getpid()}"
            )
        with self._alone():
            if self._socket.closed:
                raise ClosedError(f"this connection to {self.address} was closed")
            try:
                yield
            except zmq.ZMQError as error:
                raise SocketError(error.errno, f"{self.address}: {error.strerror}") from error

    def _ready(self, what: int, deadline: Deadline) -> Iterator[None]:
        """The moments at which the socket is ready to send or to receive, one at least if it is, until the deadline.

        What is ready may be so no more when it is tried: a connection that broke, a reply that was dropped.
        """
        while self._socket.poll(deadline.left_ms(), what):
            yield
            if deadline.is_over:
                return

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._in_use.acquire(blocking=False):
            raise InUseError(f"this connection to {self.address} is in use by another thread; make one for each thread")
        try:
            yield
        finally:
            self._in_use.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the connection go; a second call does nothing, nor does one in a fork: it is the other process's.

        Raises:
            InUseError: another thread is using it.
        """
        if os.getpid() == self._process_id:
            with self._alone():
                self._socket.close()
                self._context.term()
