"""A socket to the daemon that is there from `with` to the end of its block, and finds a daemon that restarts."""

import os
from types import TracebackType
from typing import Self

import zmq

from wilor_client.errors import ForkedError
from wilor_client.keys import ClientKeys

_RECONNECT_MS = 20
_RECONNECT_AT_MOST_MS = 100


class Connection:
    """One socket in a context of its own, for one thread.

    Attributes:
        address: that it connects to.
    """

    def __init__(self, kind: int, address: str, keys: ClientKeys | None = None) -> None:
        """Make the socket; `connect` when its options are set."""
        self.address = address
        self._process_id = os.getpid()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(kind)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.RECONNECT_IVL, _RECONNECT_MS)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, _RECONNECT_AT_MOST_MS)
        self._socket.setsockopt(zmq.IPV6, 1)
        self._socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
        if keys is not None:
            keys.put_on(self._socket)

    def _connect(self) -> None:
        """Begin to connect, without waiting for anybody."""
        self._socket.connect(self.address)

    def _require_own_process(self) -> None:
        """Two processes at one connection would take each other's replies, or wait for ever.

        Raises:
            ForkedError: this is not the process that made it.
        """
        if os.getpid() != self._process_id:
            raise ForkedError(
                f"this connection to {self.address} was made by process {self._process_id}, before it forked; "
                f"make another one in process {os.getpid()}"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the connection go; a second call does nothing, nor does one in a fork: it is the other process's."""
        self._socket.close()
        self._context.term()
