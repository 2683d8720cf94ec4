"""What tests with real sockets and private directories share."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

Context = zmq.Context[zmq.Socket[bytes]]
Socket = zmq.Socket[bytes]
OpenSocket = Callable[[int], Socket]


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A fresh private directory whose path leaves room for a socket's name, which pytest's own does not."""
    path = Path(tempfile.mkdtemp(prefix="ws-", dir="/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def context() -> Iterator[Context]:
    """A ZeroMQ context of the test's own."""
    with zmq.Context() as made:
        yield made


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
