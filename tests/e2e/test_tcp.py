"""Over TCP: only when asked, beyond the loopback only with keys, and then only for clients whose keys are known."""

import contextlib
import socket
import stat
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import zmq
from numpy.typing import NDArray

from tests.e2e.processes import resident_bytes
from tests.e2e.test_answers import EVENT_MS, wait_until_subscribed
from tests.e2e.test_commands import command
from tests.unit.sidecar.fakes import wait_for
from wilor_client import ClientKeys, HandClient, HandClientError, HandEvents, NoReplyError
from wilor_protocol.events import hands_topic
from wilor_sidecar.daemon_process import DaemonProcess
from wilor_sidecar.tcp_gate import MOST_CONNECTIONS

CURVE_GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"CURVE".ljust(20, b"\0") + bytes(32)
LARGE_COMMAND = b"\x06" + struct.pack(">Q", 2_000_000) + bytes(1_000_000)


def free_port() -> int:
    """A port that is free now, and so is the next one."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port = int(first.getsockname()[1])
            try:
                with socket.create_server(("127.0.0.1", port + 1)):
                    return port
            except (OSError, OverflowError):
                continue


@pytest.fixture
def port() -> int:
    """Of requests; events are at the next one."""
    return free_port()


def add_keys(keys_dir: Path, name: str, out: Path) -> ClientKeys:
    """Make a client's keys with the command."""
    made = command("keys", "add", name, "--out", str(out), "--keys-dir", str(keys_dir))
    assert made.returncode == 0, made.stderr
    return ClientKeys.read(out)


@pytest.fixture
def keys(tmp_path: Path) -> ClientKeys:
    """Of the first client; the daemon's keys are made with them, in `tmp_path / "keys"`."""
    return add_keys(tmp_path / "keys", "laptop", tmp_path / "laptop.toml")


@pytest.fixture
def guarded(keys: ClientKeys, port: int, tmp_path: Path) -> Iterator[DaemonProcess]:
    """A daemon that every machine could reach, and that knows one client."""
    arguments = ["--tcp", f"0.0.0.0:{port}", "--keys-dir", str(tmp_path / "keys")]
    with DaemonProcess(arguments=arguments) as daemon:
        daemon.wait_until("ready")
        yield daemon
        assert daemon.stop() == 0, daemon.log()


def test_a_client_with_keys_is_served(
    guarded: DaemonProcess, keys: ClientKeys, port: int, pixels: NDArray[np.uint8]
) -> None:
    """Requests and events work as over ipc, and give the same; the run directory stays open without keys."""
    with (
        HandClient(f"tcp://127.0.0.1:{port}", source="remote", timeout_ms=20_000, keys=keys) as remote,
        HandClient(guarded.requests_address, timeout_ms=20_000) as local,
        HandEvents("remote", f"tcp://127.0.0.1:{port + 1}", keys=keys) as events,
    ):
        wait_until_subscribed(local, hands_topic("remote"))
        answer = remote.estimate(pixels[0], "right", deadline_ms=10_000)
        event = events.next(EVENT_MS)
        assert event is not None
        assert np.array_equal(answer.hands[0].vertices, event.hands[0].vertices)  # type: ignore[arg-type]
        assert np.array_equal(answer.hands[0].vertices, local.estimate(pixels[0], "right").hands[0].vertices)  # type: ignore[arg-type]


def test_sockets_that_are_made_again_ask_for_keys_as_before(
    guarded: DaemonProcess, keys: ClientKeys, port: int, pixels: NDArray[np.uint8]
) -> None:
    """When somebody has removed them all from the run directory: over TCP with keys alone, there without."""
    removed = [path for path in guarded.run_dir.iterdir() if path.is_socket()]
    assert len(removed) == 4
    for path in removed:
        path.unlink()
    wait_for(lambda: all(path.is_socket() for path in removed), "they are there again", 30)
    with (
        HandClient(guarded.requests_address, timeout_ms=20_000) as local,
        HandClient(f"tcp://127.0.0.1:{port}", source="remote", timeout_ms=20_000, keys=keys) as remote,
        HandEvents("remote", guarded.events_address) as local_events,
        HandEvents("remote", f"tcp://127.0.0.1:{port + 1}", keys=keys) as remote_events,
        HandClient(f"tcp://127.0.0.1:{port}", timeout_ms=1000) as stranger,
    ):
        assert local.status().ready
        unheard = [local_events, remote_events]
        while unheard:
            assert len(remote.estimate(pixels[0], "right").hands) == 1
            unheard = [events for events in unheard if events.next(100) is None]
        with pytest.raises(NoReplyError):
            stranger.status()


def test_a_daemon_that_starts_late_has_the_clock_of_its_host(port: int, tmp_path: Path) -> None:
    """The real one, asked before it is there. It is this host's clock, so any difference is the client's mistake."""
    arguments = ["--tcp", f"127.0.0.1:{port}", "--keys-dir", str(tmp_path)]
    with HandClient(f"tcp://127.0.0.1:{port}", timeout_ms=60_000) as client, DaemonProcess(arguments=arguments):
        started_ns = time.monotonic_ns()
        ahead_ns = client.clock_ahead_ns()
        waited_ns = time.monotonic_ns() - started_ns
        assert client._clock._best
        round_trip_ns = client._clock._best.round_trip_ns
        client.wait_until_ready()
    print(f"waited {waited_ns / 1e6:.0f} ms, off by {ahead_ns / 1e6:.3f} ms in {round_trip_ns / 1e6:.3f} ms")
    assert abs(ahead_ns) <= round_trip_ns // 2 + 1
    assert round_trip_ns < waited_ns / 4


def test_nobody_else_is_served(guarded: DaemonProcess, keys: ClientKeys, port: int) -> None:
    """Neither without keys, nor with unknown ones, nor with a known public key and another secret; and it is logged."""
    public, secret = (key.decode() for key in zmq.curve_keypair())
    address = f"tcp://127.0.0.1:{port}"
    unknown = ClientKeys(keys.daemon_public, public, secret)
    pretender = ClientKeys(keys.daemon_public, keys.public, secret)
    for stranger in (None, unknown, pretender):
        with HandClient(address, timeout_ms=500, keys=stranger) as client:
            with pytest.raises(NoReplyError):
                client.hello()
            if stranger is unknown:  # the client tries again and again
                wait_for(lambda: f"an unknown key was turned away: {public}" in guarded.log(), "it is logged", 30)
    with HandClient(address, timeout_ms=20_000, keys=keys) as client:
        assert client.hello().state == "ready"
    assert keys.secret not in guarded.log()


def test_strangers_can_fill_the_gate_and_no_more(guarded: DaemonProcess, keys: ClientKeys, port: int) -> None:
    """Crowds that never prove who they are, each with a large command begun: the daemon has a place left for others.

    libzmq alone would keep each of them, with all that it sends, and abort the process at its last descriptor.
    """
    pid = guarded.process.pid
    with HandClient(guarded.requests_address, timeout_ms=20_000) as local, contextlib.ExitStack() as strangers:
        before = local.status().process.open_files, resident_bytes(pid)
        for number in range(600):
            stranger = strangers.enter_context(socket.create_connection(("127.0.0.1", port + number % 2)))
            with contextlib.suppress(OSError):  # it was turned away
                stranger.sendall(CURVE_GREETING + LARGE_COMMAND)
        now = local.status().process.open_files, resident_bytes(pid)
        print(f"{now[0] - before[0]} more files, {(now[1] - before[1]) / 1e6:.0f} MB more")
        # Three for each connection at each port, and those that have come and are not yet turned away.
        assert now[0] - before[0] <= 2 * 3 * MOST_CONNECTIONS + 64
        assert now[1] - before[1] < 300e6
        assert f"was turned away: there are {MOST_CONNECTIONS} already" in guarded.log()
    with HandClient(f"tcp://127.0.0.1:{port}", timeout_ms=20_000, keys=keys) as client:
        assert client.hello().state == "ready"


def test_clients_come_and_go_without_a_restart(guarded: DaemonProcess, port: int, tmp_path: Path) -> None:
    """A client that is added can connect at once; one that is removed can no more."""
    phone = add_keys(tmp_path / "keys", "phone", tmp_path / "phone.toml")
    with HandClient(f"tcp://127.0.0.1:{port}", timeout_ms=20_000, keys=phone) as client:
        assert client.hello().state == "ready"
    listed = command("keys", "--keys-dir", str(tmp_path / "keys")).stdout
    assert [line.split() for line in listed.splitlines()][1] == ["phone", phone.public]
    assert command("keys", "remove", "phone", "--keys-dir", str(tmp_path / "keys")).returncode == 0
    with HandClient(f"tcp://127.0.0.1:{port}", timeout_ms=500, keys=phone) as client, pytest.raises(NoReplyError):
        client.hello()


def test_commands_reach_it_over_tcp(guarded: DaemonProcess, port: int, tmp_path: Path) -> None:
    """With the client's file."""
    where = ("--tcp", f"127.0.0.1:{port}", "--keys", str(tmp_path / "laptop.toml"))
    assert command("status", *where).stdout.startswith("ready: ")
    (tmp_path / "laptop.toml").chmod(0o644)
    refused = command("status", *where)
    assert (refused.returncode, "chmod 600" in refused.stderr) == (1, True)


def test_key_files_are_private(keys: ClientKeys, tmp_path: Path) -> None:
    """All of them, and what is kept of a client has no secret; nothing is written over."""
    folder = tmp_path / "keys"
    files = [path for path in (*folder.rglob("*"), tmp_path / "laptop.toml") if path.is_file()]
    assert len(files) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "clients")} == {0o700}
    assert keys.secret not in "".join(path.read_text() for path in folder.rglob("*.toml"))
    assert keys.secret not in repr(keys)
    for name, out in (("laptop", "other.toml"), ("other", "laptop.toml"), ("../x", "x.toml"), ("", "y.toml")):
        again = command("keys", "add", name, "--out", str(tmp_path / out), "--keys-dir", str(folder))
        assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    assert command("keys", "remove", "../daemon", "--keys-dir", str(folder)).returncode == 1
    assert ClientKeys.read(tmp_path / "laptop.toml") == keys


@pytest.mark.parametrize("where", ["0.0.0.0", "[::]"])
def test_without_keys_other_machines_are_kept_out(where: str, port: int, tmp_path: Path) -> None:
    """The daemon does not start, and says how keys are made."""
    with DaemonProcess(arguments=["--tcp", f"{where}:{port}", "--keys-dir", str(tmp_path)]) as daemon:
        assert daemon.process.wait(60) == 78
        assert "wilor-sidecar keys add" in daemon.log()
        assert daemon.log().count("\n") == 1


def test_keys_that_others_can_read_are_refused(keys: ClientKeys, port: int, tmp_path: Path) -> None:
    """A folder that is open to others may have been read by them: 78."""
    (tmp_path / "keys").chmod(0o755)
    with DaemonProcess(arguments=["--tcp", f"127.0.0.1:{port}", "--keys-dir", str(tmp_path / "keys")]) as daemon:
        assert daemon.process.wait(60) == 78
        assert "open to others" in daemon.log()


def test_the_loopback_needs_no_keys_but_a_warning(port: int, tmp_path: Path) -> None:
    """Whoever asks for TCP without keys is told who can connect; only the loopback is bound."""
    with DaemonProcess(arguments=["--tcp", f"127.0.0.1:{port}", "--keys-dir", str(tmp_path)]) as daemon:
        daemon.wait_until("ready")
        with HandClient(f"tcp://127.0.0.1:{port}", timeout_ms=20_000) as client:
            assert client.hello().state == "ready"
        assert "every user of this machine can connect" in daemon.log()
        assert listening_addresses(daemon.process.pid) == {("127.0.0.1", port), ("127.0.0.1", port + 1)}
        assert daemon.stop() == 0


def test_a_port_that_is_taken_is_told(port: int, tmp_path: Path) -> None:
    """75, for it may be free in a minute, and no half of a daemon stays behind."""
    with (
        socket.create_server(("127.0.0.1", port + 1)),
        DaemonProcess(arguments=["--tcp", f"127.0.0.1:{port}", "--keys-dir", str(tmp_path)]) as daemon,
    ):
        assert daemon.process.wait(60) == 75
        assert f"cannot listen at 127.0.0.1:{port + 1}" in daemon.log()


def test_no_tcp_unless_asked(daemon: DaemonProcess) -> None:
    """By default nothing listens on any port."""
    assert listening_addresses(daemon.process.pid) == set()


@pytest.mark.parametrize("text", ["", "public = 1", 'public = "short"', "no toml", "\xff"])
def test_a_file_that_holds_no_keys_is_refused(tmp_path: Path, text: str) -> None:
    """The error names the file."""
    path = tmp_path / "keys.toml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(HandClientError, match=f"keys: {path}"):
        ClientKeys.read(path)
    with pytest.raises(HandClientError, match="nowhere"):
        ClientKeys.read(tmp_path / "nowhere")


def listening_addresses(pid: int) -> set[tuple[str, int]]:
    """Where a process listens on TCP."""
    listening = psutil.Process(pid).net_connections(kind="tcp")
    return {(each.laddr.ip, each.laddr.port) for each in listening if each.status == psutil.CONN_LISTEN}
