"""The gate carries bytes as they are, gives places back, and lets the last ones out."""

import contextlib
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from wilor_sidecar import tcp_gate
from wilor_sidecar.config.host_port import HostPort
from wilor_sidecar.tcp_gate import MOST_CONNECTIONS, TcpGate

from .fakes import wait_for

WAIT_S = 20
MUCH = bytes(range(256)) * (1 << 18)  # 67 MB, more than all buffers on the way


class Inside:
    """A listening socket where libzmq's would be, and the gate before it."""

    def __init__(self, folder: Path, host: IPv4Address | IPv6Address) -> None:
        self.path = folder / "inside"
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(self.path))
        self.listening.listen(MOST_CONNECTIONS)
        self.listening.settimeout(WAIT_S)
        self.gate = TcpGate()
        with socket.create_server((str(host), 0), family=HostPort(host, 0).family) as free:
            self.where = HostPort(host, free.getsockname()[1])
        self.gate.listen(self.where, self.path)
        self.gate.start()

    def connect(self) -> socket.socket:
        """From outside."""
        return socket.create_connection((str(self.where.host), self.where.port), WAIT_S)

    def pair(self) -> tuple[socket.socket, socket.socket]:
        """A connection's two ends: outside and inside."""
        outside = self.connect()
        inside, _ = self.listening.accept()
        inside.settimeout(WAIT_S)
        return outside, inside


@pytest.fixture(params=["127.0.0.1", "::1"])
def inside(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Inside]:
    """A gate that is open."""
    host = IPv6Address("::1") if request.param == "::1" else IPv4Address("127.0.0.1")
    made = Inside(tmp_path, host)
    with made.listening, contextlib.closing(made.gate):
        yield made


def received(connection: socket.socket, count: int) -> bytes:
    """So many bytes, or those up to the end."""
    chunks = []
    while count > 0 and (chunk := connection.recv(min(count, 1 << 20))):
        chunks.append(chunk)
        count -= len(chunk)
    return b"".join(chunks)


def has_ended(connection: socket.socket) -> bool:
    """The other side has closed it."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_both_ways_and_both_ends(inside: Inside) -> None:
    """What goes in comes out, and when one side has enough, the other is told."""
    outside, inner = inside.pair()
    with outside, inner:
        outside.sendall(b"question")
        assert received(inner, 8) == b"question"
        inner.sendall(b"answer")
        assert received(outside, 6) == b"answer"
        outside.close()
        assert has_ended(inner)


def test_what_was_said_last_is_heard(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon ends: replies on their way still go out, and closing waits for them."""
    monkeypatch.setattr(tcp_gate, "_LAST_BYTES_S", WAIT_S)
    outside, inner = inside.pair()
    with outside:
        inner.sendall(b"goodbye")
        inner.close()
        inside.gate.close()
        assert received(outside, 100) == b"goodbye"


def test_nobody_is_read_faster_than_he_is_answered(inside: Inside) -> None:
    """A side that does not read stops the other, instead of filling our memory."""
    outside, inner = inside.pair()
    with outside, inner:
        outside.settimeout(1)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < len(MUCH):
                sent += outside.send(MUCH[sent : sent + (1 << 16)])
        print(f"{sent / 1e6:.1f} MB on the way")
        assert sent < len(MUCH)
        assert received(inner, sent) == MUCH[:sent]


def test_places_are_given_back(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than there are come in; one that leaves makes room, also one that reads nothing of what he was sent, when
    all buffers on the way to him are full.
    """
    monkeypatch.setattr(tcp_gate, "_PATIENCE_S", 1.0)
    pairs = [inside.pair() for _ in range(MOST_CONNECTIONS)]
    with contextlib.ExitStack() as open_sockets:
        for end in (end for pair in pairs for end in pair):
            open_sockets.enter_context(end)
        with inside.connect() as too_many:
            assert has_ended(too_many)
        _, inner = pairs[0]
        inner.settimeout(0.5)
        with contextlib.suppress(TimeoutError, ConnectionError):
            inner.sendall(MUCH)
        inner.close()
        wait_for(lambda: is_let_in(inside), "there is room again", WAIT_S)


def is_let_in(inside: Inside) -> bool:
    """Whether somebody who comes now is led to the inside."""
    inside.listening.settimeout(0.2)
    with inside.connect(), contextlib.suppress(TimeoutError):
        inside.listening.accept()[0].close()
        return True
    return False


def test_a_socket_that_is_gone_is_told(inside: Inside, caplog: pytest.LogCaptureFixture) -> None:
    """The connection ends at once, and the log says where it should have led."""
    inside.path.unlink()
    with inside.connect() as outside:
        assert has_ended(outside)
    assert f"leads nowhere: {inside.path}: No such file" in caplog.text
