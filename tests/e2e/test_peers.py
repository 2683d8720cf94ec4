"""Peers that misbehave without saying anything wrong: they come in crowds, fall silent, stand still, or go away."""

import contextlib
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import psutil
import pytest
import zmq

from tests.corpus.zmtp import GREETING_BYTES, MORE, command, frame, greeting, request, session
from tests.e2e.counting import in_hand
from tests.e2e.faulty_daemon import Fault, crop_with, faulty_daemon
from tests.e2e.processes import open_files, resident_bytes
from tests.e2e.test_faults import client_of
from tests.unit.sidecar.fakes import wait_for
from tests.unit.sidecar.zmtp import RawPeer
from wilor_client import HandClient, hand_crop
from wilor_protocol.codec import decode_event, encode, subscription
from wilor_protocol.events import STATE_TOPIC, HandsEvent, StateEvent, joints_topic
from wilor_protocol.requests import EstimateRequest
from wilor_protocol.version import PROTOCOL_VERSION
from wilor_sidecar.daemon_process import DaemonProcess

WAIT_S = 30
CROP = crop_with(Fault.NONE)
PING = b"\x83\xa2op\xa4ping\xa2id\x07\xa1v\x01"


def body_of(source: str) -> bytes:
    """A request of eight hands."""
    hands = [hand_crop(CROP, "right")] * 8
    return encode(EstimateRequest(id=1, v=PROTOCOL_VERSION, source=source, frame=1, captured_at_ns=1, hands=hands))


BODY = body_of("raw")


@pytest.fixture
def quick() -> Iterator[DaemonProcess]:
    """A daemon whose network takes no time; it must be sound at the end."""
    with faulty_daemon() as running:
        running.wait_until("ready")
        yield running
        with client_of(running) as client:
            assert len(client.estimate(CROP, "right").hands) == 1
        assert running.stop() == 0, running.log()


def files_beside(daemon: DaemonProcess, client: HandClient) -> int:
    """How many are open once this client is answered: its connection, made in the background, counts too."""
    client.status()
    return open_files(daemon.process.pid)


def files_as_before(daemon: DaemonProcess, before: int) -> None:
    """All that these peers had open is closed."""
    wait_for(lambda: open_files(daemon.process.pid) <= before, f"no more than {before} files are open", WAIT_S)


# Crowds


def test_a_million_subscriptions_are_survived(quick: DaemonProcess) -> None:
    """ZeroMQ keeps them all, in about 240 MB; the daemon lists a thousand, and gives the rest of its memory back."""
    with client_of(quick) as client, RawPeer(quick.run_dir / "events", b"SUB") as peer:
        before = resident_bytes(quick.process.pid)
        peer.socket.settimeout(200)
        peer.socket.sendall(b"".join(frame(b"\1hands/%06d" % number) for number in range(1_000_000)))
        peer.socket.sendall(frame(b"\1" + subscription(STATE_TOPIC)))
        assert b"state\0" in peer.socket.recv(4096), "the last one has arrived"
        assert len(client.status().subscriptions) == 1024
        grown = resident_bytes(quick.process.pid) - before
        print(f"grown by {grown / 1e6:.0f} MB")
        assert grown < 500e6
        assert len(client.estimate(CROP, "right").hands) == 1
    with client_of(quick) as client:
        wait_for(lambda: not client.status().subscriptions, "they went with their connection", WAIT_S)


@contextlib.contextmanager
def soft_file_limit(limit: int) -> Iterator[None]:
    """What is started meanwhile begins with this soft limit."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@contextlib.contextmanager
def crowd(daemon: DaemonProcess, size: int) -> Iterator[list[RawPeer]]:
    """So many connections, half of them to each socket."""
    with contextlib.ExitStack() as stack:
        ends = ((daemon.run_dir / "requests", b"DEALER"), (daemon.run_dir / "events", b"SUB"))
        yield [stack.enter_context(RawPeer(*ends[number % 2])) for number in range(size)]


def test_four_hundred_connections_are_served() -> None:
    """Also where a process may open but 256 files at first, as on a Mac: the daemon asks for more."""
    with soft_file_limit(256):
        daemon = faulty_daemon()
        daemon.start()
    with daemon_running(daemon), client_of(daemon) as client:
        daemon.wait_until("ready")
        before = files_beside(daemon, client)
        assert client.status().process.open_files_limit > 256
        with crowd(daemon, 400) as peers:
            assert open_files(daemon.process.pid) >= 400
            for peer in peers[::2]:
                peer.socket.sendall(request(PING))
                assert b"monotonic_ns" in peer.socket.recv(4096)
            assert len(client.estimate(CROP, "right").hands) == 1
        files_as_before(daemon, before)
        assert daemon.stop() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux sets another process's limits")
def test_control_without_files_libzmq_ends_the_process() -> None:
    """Control: where the limit cannot be raised, the connection that finds no file left aborts the daemon."""
    with faulty_daemon() as daemon:
        daemon.wait_until("ready")
        psutil.Process(daemon.process.pid).rlimit(psutil.RLIMIT_NOFILE, (128, 128))
        with contextlib.suppress(OSError), crowd(daemon, 400):
            pass
        assert daemon.process.wait(WAIT_S) == -signal.SIGABRT
        assert "Too many open files" in daemon.log()


@contextlib.contextmanager
def daemon_running(daemon: DaemonProcess) -> Iterator[None]:
    """What `with daemon` does, for one that was started before."""
    try:
        yield
    finally:
        daemon.__exit__(None, None, None)


# Silence


def halves(kind: bytes) -> list[bytes]:
    """Connections of a socket of this kind that end in the middle of something."""
    return [
        greeting()[:30],
        greeting(),
        greeting() + command(b"READY", bytes(200))[:40],
        session(b"\2\0\0\0", kind=kind),
        session(frame(b"", MORE), kind=kind),
        session(request(BODY), kind=kind)[:-800_000],
    ]


@contextlib.contextmanager
def silent_peer(path: Path, half: bytes) -> Iterator[socket.socket]:
    """A connection on which this has been sent and nothing else will be."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(WAIT_S)
        peer.connect(str(path))
        peer.sendall(half[:GREETING_BYTES])
        greeted = 0  # libzmq reads a greeting that nothing follows; what comes in one piece with it is its end
        while greeted < GREETING_BYTES:
            piece = peer.recv(GREETING_BYTES - greeted)
            assert piece, "hung up on while greeting"
            greeted += len(piece)
        peer.sendall(half[GREETING_BYTES:])
        yield peer


@pytest.mark.parametrize(("endpoint", "kind"), [("requests", b"DEALER"), ("events", b"SUB")])
def test_half_a_message_and_silence_cost_nobody_anything(quick: DaemonProcess, endpoint: str, kind: bytes) -> None:
    """Ten peers of each sort stop in the middle: the others are served as ever, and what they held is given back."""
    with client_of(quick) as client, contextlib.ExitStack() as peers:
        client.estimate(CROP, "right")
        before = files_beside(quick, client), resident_bytes(quick.process.pid)
        for half in halves(kind) * 10:
            peers.enter_context(silent_peer(quick.run_dir / endpoint, half))
        for _ in range(50):
            assert len(client.estimate(CROP, "right", timeout_ms=5000).hands) == 1
        peers.close()
        files_as_before(quick, before[0])
        grown = resident_bytes(quick.process.pid) - before[1]
        print(f"grown by {grown / 1e6:.1f} MB")
        assert grown < 40e6


def test_who_does_not_introduce_himself_is_hung_up_on(quick: DaemonProcess) -> None:
    """A connection that stops before its handshake is over is ended after some seconds; one that is through is not."""
    with contextlib.ExitStack() as stack:
        path = quick.run_dir / "requests"
        whole = stack.enter_context(silent_peer(path, session()))
        stopped = [stack.enter_context(silent_peer(path, half)) for half in halves(b"DEALER")[:3]]
        for peer in stopped:
            while peer.recv(4096):  # the rest of the daemon's greeting, then its end
                pass
        whole.sendall(request(PING))
        while b"monotonic_ns" not in (said := whole.recv(4096)):
            assert said, "it was hung up on too"


_CAMERA = """
import itertools, sys, numpy as np
from wilor_client import HandClient, HandEvents, RefusedError
with HandClient(sys.argv[1], source="cam", timeout_ms=200_000) as client, HandEvents("cam", sys.argv[2]) as events:
    for number in itertools.count(1):
        try:
            client.estimate(np.zeros((256, 256, 3), np.uint8), "right")
        except RefusedError as refused:  # the other one's frames are newer
            assert refused.code == "superseded"
        events.next(0)
        print(number, flush=True)
"""


def test_a_client_that_stands_still_holds_nobody_up(quick: DaemonProcess) -> None:
    """A camera with a subscription is stopped in its tracks: others are served, and it goes on when it is woken."""
    command_line = [sys.executable, "-c", _CAMERA, quick.requests_address, quick.events_address]
    with subprocess.Popen(command_line, stdout=subprocess.PIPE, text=True) as camera, client_of(quick) as client:
        assert camera.stdout
        try:
            for _ in range(10):
                assert camera.stdout.readline()
            camera.send_signal(signal.SIGSTOP)
            done = client.status().counters["requests_estimate"]
            client.source = "cam"
            for _ in range(500):
                assert len(client.estimate(CROP, "right").hands) == 1
            camera.send_signal(signal.SIGCONT)
            while int(camera.stdout.readline()) <= done:  # printed before it stood still
                pass
        finally:
            camera.kill()


def test_clients_that_vanish_leave_nothing_behind() -> None:
    """Thirty of them go while their request runs or waits: each is answered into the void, and nobody else notices."""
    with faulty_daemon(delay_ms=20) as daemon, client_of(daemon) as client:
        daemon.wait_until("ready")
        before = files_beside(daemon, client)
        for number in range(1, 31):
            with RawPeer(daemon.run_dir / "requests", b"DEALER") as peer:
                peer.socket.sendall(request(body_of(f"vanishing {number}")))
                wait_for(lambda n=number: asked_and_done(client)[0] == n, "it came", WAIT_S)  # type: ignore[misc]
        wait_for(lambda: asked_and_done(client) == (30, 30), "each has had its reply", WAIT_S)
        assert len(client.estimate(CROP, "right").hands) == 1
        files_as_before(daemon, before)
        assert daemon.stop() == 0


def asked_and_done(client: HandClient) -> tuple[int, int]:
    """How many estimates were asked for, and how many of them were answered or refused."""
    status = client.status()
    asked = status.counters.get("requests_estimate", 0)
    return asked, asked - in_hand(status)


# New subscribers


class Camera(threading.Thread):
    """Sends frames as fast as they are answered, until told to end."""

    def __init__(self, daemon: DaemonProcess) -> None:
        super().__init__()
        self.has_ended = threading.Event()
        self._daemon = daemon

    def run(self) -> None:
        """Send."""
        with HandClient(self._daemon.requests_address, source="cam", timeout_ms=WAIT_S * 1000) as client:
            while not self.has_ended.is_set():
                client.estimate(CROP, "right", want=[])
                time.sleep(0.004)  # so that a stall of half a second fits into what is kept for a subscriber


class Listener:
    """A subscriber to a camera, and after that to the daemon's state; it keeps what it hears."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], daemon: DaemonProcess) -> None:
        self.socket = context.socket(zmq.SUB)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RCVHWM, 0)
        for topic in (joints_topic("cam"), STATE_TOPIC):
            self.socket.setsockopt(zmq.SUBSCRIBE, subscription(topic))
        self.socket.connect(daemon.events_address)
        self.published_at_ns: dict[int, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def next(self) -> HandsEvent | StateEvent:
        """The next event; remembers when a frame's was published."""
        assert self.socket.poll(WAIT_S * 1000), "no event"
        _, event = decode_event(self.socket.recv(zmq.NOBLOCK))
        if isinstance(event, HandsEvent):
            self.published_at_ns[event.seq] = event.published_at_ns
        return event

    def next_state(self) -> StateEvent:
        """The next event of the state."""
        while not isinstance(event := self.next(), StateEvent):
            pass
        return event

    def hear_until(self, seq: int) -> None:
        """Listen until this frame has been heard of, or a later one."""
        while max(self.published_at_ns, default=0) < seq:
            self.next()


def test_a_new_subscriber_is_greeted_and_then_misses_nothing(quick: DaemonProcess) -> None:
    """A hundred times, while a camera sends all it can: from the state on, which greets it, it has every frame.

    A witness that was there from the start says which there were.
    """
    camera = Camera(quick)
    greeted_at_ns = []
    newcomers = []
    with zmq.Context() as context, Listener(context, quick) as witness:
        assert witness.next_state().state == "ready"
        camera.start()
        try:
            for _ in range(100):
                with Listener(context, quick) as newcomer:
                    state = newcomer.next_state()
                    assert state.state == "ready"
                    greeted_at_ns.append(state.published_at_ns)
                    newcomer.next()
                    newcomer.hear_until(max(newcomer.published_at_ns, default=0) + 20)
                newcomers.append(newcomer.published_at_ns)
        finally:
            camera.has_ended.set()
            camera.join()
        last = max(max(heard) for heard in newcomers)
        witness.hear_until(last)
    print(f"{len(witness.published_at_ns)} frames")
    for greeted_ns, heard in zip(greeted_at_ns, newcomers, strict=True):
        due = {seq: at_ns for seq, at_ns in witness.published_at_ns.items() if greeted_ns < at_ns and seq <= max(heard)}
        assert len(due) >= 20
        assert due.items() <= heard.items()
