"""Raw sockets to the daemon, for what a client of ours would never send."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgpack
import numpy as np
import pytest
import zmq
from numpy.typing import NDArray

from wilor_sidecar.daemon_process import DaemonProcess
from wilor_sidecar.weights.seeded import crops

REPLY_MS = 20_000


class RawDealer:
    """A DEALER that sends any frames and reads replies with another MessagePack library than ours."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self.socket = socket

    def send(self, *frames: bytes) -> None:
        """Send frames behind the empty one."""
        self.socket.send_multipart([b"", *frames])

    def reply(self) -> dict[str, Any]:
        """The next reply's map."""
        assert self.socket.poll(REPLY_MS), "no reply"
        empty, body = self.socket.recv_multipart()
        assert empty == b""
        reply: dict[str, Any] = msgpack.unpackb(body)
        return reply

    def ask(self, **fields: Any) -> dict[str, Any]:
        """Send one map and take its reply."""
        self.send(msgpack.packb({"v": 1, "id": 1, **fields}))
        return self.reply()


@contextmanager
def dealer_to(daemon: DaemonProcess) -> Iterator[RawDealer]:
    """A raw connection to a daemon, for a `with`; it may not have started yet."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(daemon.requests_address)
        yield RawDealer(socket)


@pytest.fixture
def dealer(daemon: DaemonProcess) -> Iterator[RawDealer]:
    """A raw connection to the shared daemon."""
    with dealer_to(daemon) as connected:
        yield connected


@pytest.fixture(scope="session")
def pixels() -> NDArray[np.uint8]:
    """(4, 256, 256, 3) crops that differ."""
    return crops(3, 4)


@pytest.fixture
def estimate_fields(pixels: NDArray[np.uint8]) -> Callable[..., dict[str, Any]]:
    """The fields of a good estimate request, for tests that spoil one."""

    def make(**changes: Any) -> dict[str, Any]:
        hand = {"crop": pixels[0].tobytes(), "side": "right"}
        fields = {"op": "estimate", "source": "raw", "frame": 1, "captured_at_ns": 1, "hands": [hand]}
        return {**fields, **changes}

    return make
