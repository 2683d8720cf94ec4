"""Peers that speak ZMTP badly, or not at all: the daemon drops them, and serves the next honest request."""

import contextlib
import math
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.corpus.make_corpus import FOLDER, connections
from tests.corpus.zmtp import GREETING_BYTES, SIGNATURE
from tests.e2e.conftest import RawDealer, dealer_to
from tests.hostile_messages import maps, mutated, near_requests
from tests.unit.sidecar.fakes import wait_for
from wilor_client import HandClient
from wilor_protocol.errors import ErrorCode
from wilor_sidecar.daemon_process import DaemonProcess

_CORPUS = sorted(FOLDER.glob("*.bin"))
_HONEST_MS = 5000
_QUIET_S = 0.02
_GREETED_S = 5.0
_ENDPOINTS = ("requests", "events")
_SMALL = [path for path in _CORPUS if path.stat().st_size < 2000]

_with_daemon = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def honest(daemon: DaemonProcess) -> Iterator[HandClient]:
    """A client whose requests must be answered whatever its neighbours do."""
    with HandClient(daemon.requests_address, timeout_ms=_HONEST_MS) as client:
        yield client


def send_raw(path: Path, data: bytes, *, reset: bool = False) -> bytes:
    """Connect to a socket, send these bytes, and go when nothing comes any more.

    libzmq wants a greeting to be followed by a pause: what comes in one piece with it is dropped unread. So the rest
    is sent when the daemon has greeted back.

    Args:
        path: of the socket.
        data: a greeting of 64 bytes, perhaps, and what follows.
        reset: end the connection without a proper goodbye.

    Returns:
        What the daemon sent.
    """
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(path))
        raw.settimeout(_QUIET_S)
        if reset:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        received = b""
        with contextlib.suppress(ConnectionError):  # dropped in the middle
            raw.sendall(data[:GREETING_BYTES])
            if _is_greeting(data):
                raw.settimeout(_GREETED_S)
            received += _received(raw, enough=GREETING_BYTES)
            raw.settimeout(_QUIET_S)
            raw.sendall(data[GREETING_BYTES:])
            received += _received(raw)
    return received


def _is_greeting(data: bytes) -> bool:
    """Whether the daemon greets back: the signature and the major version of ZMTP 3."""
    return len(data) > GREETING_BYTES and data.startswith(SIGNATURE) and data[10] >= 3


def _received(raw: socket.socket, enough: float = math.inf) -> bytes:
    """What comes until it is enough, or the other side has gone, or is quiet."""
    received = b""
    with contextlib.suppress(TimeoutError):
        while len(received) < enough and (piece := raw.recv(65_536)):
            received += piece
    return received


def test_the_corpus_is_what_its_maker_writes() -> None:
    """The committed files are those of `make_corpus`, so that each has its name and its reason."""
    assert {path.stem: path.read_bytes() for path in _CORPUS} == connections()


def test_control_the_corpus_speaks_zmtp(daemon: DaemonProcess) -> None:
    """Control: its sound beginnings are sound, so that what follows them is read: pings get their pongs."""
    for name in ("ping", "long_form_of_a_short_frame"):
        wait_for(lambda name=name: _is_answered(daemon, name), f"a reply to {name}", 20)  # type: ignore[misc]
    wait_for(lambda: _subscribes(daemon), "the state for a new subscriber", 20)


def _is_answered(daemon: DaemonProcess, name: str) -> bool:
    data = connections()[name]
    return b"monotonic_ns" in send_raw(daemon.run_dir / "requests", data)


def _subscribes(daemon: DaemonProcess) -> bool:
    data = connections()["subscribe_to_everything"]
    return b"state\0" in send_raw(daemon.run_dir / "events", data)


@pytest.mark.parametrize("endpoint", _ENDPOINTS)
@pytest.mark.parametrize("path", _CORPUS, ids=lambda path: path.stem)
def test_a_connection_of_the_corpus_does_no_harm(
    daemon: DaemonProcess, honest: HandClient, path: Path, endpoint: str
) -> None:
    """On either socket; afterwards the engine's thread answers."""
    send_raw(daemon.run_dir / endpoint, path.read_bytes())
    assert honest.ping(deep=True).deep


@st.composite
def _damaged(draw: st.DrawFn) -> bytes:
    """A connection of the corpus with some bytes changed, put in, taken out or cut off."""
    data = bytearray(draw(st.sampled_from(_SMALL)).read_bytes())
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.sampled_from((start, start + 1, start + 8, len(data))))
        data[start:end] = draw(st.binary(max_size=9))
    return bytes(data)


@settings(_with_daemon, max_examples=200)
@given(data=_damaged(), endpoint=st.sampled_from(_ENDPOINTS), reset=st.booleans())
def test_damaged_connections_do_no_harm(
    daemon: DaemonProcess, honest: HandClient, data: bytes, endpoint: str, reset: bool
) -> None:
    """Whatever is wrong with them, and however they end."""
    send_raw(daemon.run_dir / endpoint, data, reset=reset)
    assert not honest.ping().deep


@settings(_with_daemon, max_examples=200)
@given(body=mutated() | st.binary(max_size=200))
def test_any_body_gets_one_reply(daemon: DaemonProcess, body: bytes) -> None:
    """A damaged message, or no message at all, is answered once, and a refusal has one of the codes."""
    with dealer_to(daemon) as dealer:
        _answered_once(dealer, body)


@settings(_with_daemon, max_examples=100)
@given(message=maps | near_requests)
def test_any_map_gets_one_reply(daemon: DaemonProcess, message: dict[str, object]) -> None:
    """And so is a map of the wrong things in the right places."""
    with dealer_to(daemon) as dealer:
        _answered_once(dealer, msgspec.msgpack.encode(message))


def _answered_once(dealer: RawDealer, body: bytes) -> None:
    dealer.send(body)
    reply = dealer.reply()
    assert reply["ok"] or reply["error"]["code"] in {code.value for code in ErrorCode}
    assert dealer.ask(op="ping", id=77)["id"] == 77  # the next reply is the next request's


def test_crowds_of_bad_peers_leave_nothing_behind(tmp_path: Path) -> None:
    """Some hundreds of them: memory and descriptors are as before, and the log is short."""
    log = tmp_path / "daemon.log"
    with (
        DaemonProcess(arguments=["--log-file", str(log)]) as daemon,
        HandClient(daemon.requests_address, timeout_ms=_HONEST_MS) as client,
    ):
        daemon.wait_until("ready")
        _send_corpus(daemon, times=1)  # what libzmq sets aside once
        wait_for(lambda: client.status().process.open_files < 40, "the first peers' descriptors are closed", 20)
        before = client.status().process
        _send_corpus(daemon, times=2)
        wait_for(
            lambda: client.status().process.open_files <= before.open_files, "all descriptors are closed again", 20
        )
        after = client.status()
        assert after.process.resident - before.resident < 20e6
        assert after.process.threads == before.threads
        wait_for(lambda: set(client.status().subscriptions) <= {"state"}, "they are subscribed to nothing more", 20)
        assert daemon.stop() == 0
    assert log.read_text().count("\n") < 60


def _send_corpus(daemon: DaemonProcess, times: int) -> None:
    for _ in range(times):
        for path in _CORPUS:
            for endpoint in _ENDPOINTS:
                send_raw(daemon.run_dir / endpoint, path.read_bytes(), reset=True)
