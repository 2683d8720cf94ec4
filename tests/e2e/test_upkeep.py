"""How the daemon looks after itself: what it costs when nobody asks, and what becomes of its memory."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.e2e.faulty_daemon import Fault, crop_with, faulty_daemon
from tests.e2e.processes import cpu_s, resident_bytes
from tests.e2e.test_faults import States, client_of
from tests.unit.sidecar.fakes import wait_for
from tests.unit.sidecar.zmtp import MORE, RawPeer, frame
from wilor_client import ErrorCode, HandClient, HandClientError, HandEvents, RefusedError
from wilor_sidecar.cli.exits import Exit
from wilor_sidecar.daemon_process import DaemonProcess
from wilor_sidecar.weights.convert import convert
from wilor_sidecar.weights.seeded import write_seeded_checkpoint

WAIT_S = 120
IDLE_STATUSES = 14
"""A second. On the machine where it was measured first they cost 0.5 % of a core."""
STRETCH_S = 2.0

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def share_of_a_core(daemon: DaemonProcess) -> float:
    """How much of a core the daemon takes: the least of three stretches."""

    def share() -> float:
        started, before_s = time.monotonic(), cpu_s(daemon.process.pid)
        time.sleep(STRETCH_S)
        return (cpu_s(daemon.process.pid) - before_s) / (time.monotonic() - started)

    return min(share() for _ in range(3))


def cpu_of_a_status_s(client: HandClient, daemon: DaemonProcess) -> float:
    """What the daemon computes for one."""
    before_s = cpu_s(daemon.process.pid)
    for _ in range(200):
        client.status()
    return (cpu_s(daemon.process.pid) - before_s) / 200


@linux_only
def test_an_idle_daemon_takes_next_to_nothing() -> None:
    """Less than 14 statuses a second would cost, with the network loaded, a client connected and somebody listening."""
    with DaemonProcess() as daemon, client_of(daemon) as client, HandEvents("cam", daemon.events_address):
        daemon.wait_until("ready")
        client.estimate(crop_with(Fault.NONE), "right")
        status_s, share = cpu_of_a_status_s(client, daemon), share_of_a_core(daemon)
        print(f"{share:.3%} of a core, {share / status_s:.1f} statuses a second")
        assert share / status_s < IDLE_STATUSES
        assert daemon.stop() == Exit.OK


@linux_only
def test_control_a_daemon_that_is_asked_a_little_shows() -> None:
    """Control: a hundred statuses a second are more than that."""
    has_ended = threading.Event()

    def ask(daemon: DaemonProcess) -> None:
        with client_of(daemon) as client:
            while not has_ended.wait(0.01):
                client.status()

    with DaemonProcess() as daemon, client_of(daemon) as client:
        daemon.wait_until("ready")
        status_s = cpu_of_a_status_s(client, daemon)
        asking = threading.Thread(target=ask, args=(daemon,))
        asking.start()
        try:
            assert share_of_a_core(daemon) / status_s > IDLE_STATUSES
        finally:
            has_ended.set()
            asking.join()
        assert daemon.stop() == Exit.OK


@pytest.fixture
def large_folder(tmp_path: Path) -> Path:
    """A network of 80 MB, which shows in a process's memory."""
    checkpoint = tmp_path / "seeded.safetensors"
    write_seeded_checkpoint(checkpoint, seed=5, width=512, depth=6)
    return convert(checkpoint, tmp_path / "large", heads=8)


def mlx_bytes(client: HandClient) -> int:
    """What MLX holds, as the daemon tells it."""
    memory = client.status().memory
    assert memory is not None
    return memory.active + memory.cache


def test_an_unused_network_is_let_go_and_comes_back(large_folder: Path, pixels: NDArray[np.uint8]) -> None:
    """After `--unload-after` its memory is free; the next request brings it back, and `loading` says why each time."""
    with DaemonProcess(str(large_folder), arguments=["--unload-after", "8"]) as daemon, client_of(daemon) as client:
        daemon.wait_until("ready")
        with States(daemon) as states:
            assert states.first.state == "ready"
            before = client.estimate(pixels[0], "right").hands[0]
            assert mlx_bytes(client) > 50e6
            loaded_bytes = resident_bytes(daemon.process.pid)
            gone = states.next()
            assert (gone.state, "nobody used it" in gone.reason) == ("loading", True)
            wait_for(lambda: loaded_bytes - resident_bytes(daemon.process.pid) > 50e6, "its memory is free", WAIT_S)
            wait_for(lambda: mlx_bytes(client) < 1e6, "the status tells that MLX uses nothing", WAIT_S)
            print(f"{loaded_bytes / 1e6:.0f} MB, then {resident_bytes(daemon.process.pid) / 1e6:.0f} MB")
            status = client.status()
            assert (status.live, status.ready, status.model_ready) == (True, False, False)
            with pytest.raises(RefusedError) as refused:
                client.estimate(pixels[0], "right")
            assert refused.value.code == ErrorCode.LOADING
            assert "a request came" in refused.value.message
            assert [states.next().state for _ in range(3)] == ["loading", "warming", "ready"]
        after = client.estimate(pixels[0], "right").hands[0]
        assert np.array_equal(before.vertices, after.vertices)  # type: ignore[arg-type]
        assert client.status().counters["reloads"] == 1
        assert daemon.stop() == Exit.OK


Growth = Callable[[DaemonProcess], None]


def leaks(daemon: DaemonProcess) -> None:
    """The network keeps 40 MB of each batch."""
    with client_of(daemon) as client, suppress(HandClientError):
        for _ in range(20):
            client.estimate(crop_with(Fault.LEAK), "right")


def subscribes(daemon: DaemonProcess) -> None:
    """A peer subscribes to 200,000 long topics: to ZeroMQ each of them is 40 nodes of a tree."""
    with RawPeer(daemon.run_dir / "events", b"SUB") as peer, suppress(OSError):
        peer.socket.settimeout(WAIT_S)
        peer.socket.sendall(b"".join(frame(b"\1" + b"%06d" % number + b"-" * 34) for number in range(200_000)))
        daemon.process.wait(WAIT_S)


def never_ends(daemon: DaemonProcess) -> None:
    """A peer sends a message of ever more frames: ZeroMQ limits each frame, and not their number."""
    with RawPeer(daemon.run_dir / "requests", b"DEALER") as peer, suppress(OSError):
        for _ in range(500):
            peer.send(bytes(1_000_000), MORE)
        daemon.process.wait(WAIT_S)


@contextmanager
def _growing(daemon: DaemonProcess, growth: Growth) -> Iterator[None]:
    thread = threading.Thread(target=growth, args=(daemon,))
    thread.start()
    try:
        yield
    finally:
        thread.join()


@pytest.mark.parametrize("growth", [leaks, subscribes, never_ends])
def test_a_daemon_that_grows_beyond_its_limit_ends_with_75(growth: Growth) -> None:
    """Whatever it grows by: everybody is told how much it was, and a supervisor starts another."""
    with faulty_daemon("--memory-limit", "350") as daemon, ExitStack() as stack:
        daemon.wait_until("ready")
        states = stack.enter_context(States(daemon))
        stack.enter_context(_growing(daemon, growth))
        failed = states.next()
        assert failed.state == "failed"
        assert "MB of memory are in use, 350 MB may be" in failed.reason
        assert daemon.process.wait(WAIT_S) == Exit.TEMPORARY


def test_the_limit_follows_from_what_was_needed_at_first() -> None:
    """Without a setting the limit is known when the daemon is ready, before anybody can have moved it."""
    with faulty_daemon() as daemon, client_of(daemon) as client:
        daemon.wait_until("ready")
        with suppress(HandClientError):
            for _ in range(60):
                client.estimate(crop_with(Fault.LEAK), "right")
        assert daemon.process.wait(WAIT_S) == Exit.TEMPORARY
        assert "MB may be" in daemon.log()


def wait_for_a_look(daemon: DaemonProcess) -> None:
    """Until the daemon has looked after itself: right after its memory it looks at its sockets' files."""
    socket = daemon.run_dir / "events"
    socket.unlink()
    wait_for(socket.is_socket, "it is made again", WAIT_S)


def test_control_within_its_limit_it_goes_on() -> None:
    """Control: the same leak under a limit that it does not reach ends nothing."""
    with (
        faulty_daemon("--memory-limit", "3000") as daemon,
        HandClient(daemon.requests_address, timeout_ms=20_000) as client,
    ):
        daemon.wait_until("ready")
        leaks(daemon)
        for _ in range(2):
            wait_for_a_look(daemon)
        assert client.status().ready
        assert daemon.stop() == Exit.OK
