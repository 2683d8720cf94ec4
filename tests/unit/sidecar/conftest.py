"""What tests with real sockets share."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from wilor_sidecar.channels import EventChannel

Context = zmq.Context[zmq.Socket[bytes]]
Socket = zmq.Socket[bytes]
OpenSocket = Callable[[int], Socket]


@pytest.fixture
def context() -> Iterator[Context]:
    """A ZeroMQ context of the test's own."""
    with zmq.Context() as made:
        yield made


@pytest.fixture
def events(context: Context, short_dir: Path) -> Iterator[EventChannel]:
    """A real event channel at `short_dir / "s"`."""
    made = EventChannel(context)
    made.socket.bind(f"ipc://{short_dir}/s")
    yield made
    made.close()


@pytest.fixture
def open_socket(context: Context) -> Iterator[OpenSocket]:
    """Makes clients' sockets of a kind; they are open until the test ends, and then let go of what they still have."""
    sockets: list[Socket] = []

    def opened(kind: int) -> Socket:
        sockets.append(context.socket(kind))
        return sockets[-1]

    yield opened
    for each in sockets:
        each.close(linger=0)
