"""The daemon from its start to its end, and what its clients see of that."""

import shutil
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.e2e.conftest import dealer_to
from tests.e2e.test_answers import EVENT_MS, wait_until_subscribed
from tests.unit.sidecar.fakes import wait_for
from wilor_client import ErrorCode, HandClient, HandEvents, NoReplyError, RefusedError, StateEvents
from wilor_protocol.events import hands_topic
from wilor_sidecar.daemon_process import DaemonProcess
from wilor_sidecar.weights.convert import convert
from wilor_sidecar.weights.seeded import write_seeded_checkpoint


@pytest.fixture
def own_daemon() -> Iterator[DaemonProcess]:
    """A daemon of the test's own, just started."""
    with DaemonProcess() as running:
        yield running


@pytest.fixture(scope="module")
def seeded_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small converted model."""
    folder = tmp_path_factory.mktemp("model")
    write_seeded_checkpoint(folder / "small.safetensors", seed=1, width=64, depth=1)
    return convert(folder / "small.safetensors", folder / "small")


def test_states_are_answered_from_the_start(
    own_daemon: DaemonProcess, pixels: NDArray[np.uint8], estimate_fields: Callable[..., dict[str, Any]]
) -> None:
    """Before it is ready the daemon answers status, and refuses estimates as `loading`."""
    with dealer_to(own_daemon) as dealer, HandClient(own_daemon.requests_address, timeout_ms=20_000) as client:
        dealer.send(msgpack.packb({"v": 1, "id": 1, "op": "status"}))  # both are there when it begins to answer
        dealer.send(msgpack.packb({"v": 1, "id": 2, **estimate_fields()}))
        early, refused = dealer.reply(), dealer.reply()
        assert early["state"] in {"starting", "loading", "warming"}
        assert not early["ready"]
        assert (refused["error"]["code"], refused["error"]["retryable"]) == (ErrorCode.LOADING, True)
        own_daemon.wait_until("ready")
        assert client.estimate(pixels[0], "right").hands
    assert own_daemon.stop() == 0
    log = own_daemon.log()
    assert log.count("ready: serving embedded (") == 1
    assert log.count("\n") < 10, log


def test_stop_while_loading_is_clean(own_daemon: DaemonProcess) -> None:
    """A daemon told to stop before it is ready ends with 0 and removes its sockets."""
    own_daemon.wait_until("loading", "warming", "ready")
    assert own_daemon.stop() == 0
    assert [path.name for path in own_daemon.run_dir.iterdir() if path.is_socket()] == []


def test_run_directory_is_private(own_daemon: DaemonProcess) -> None:
    """Nobody but its user may enter the directory or connect to the sockets."""
    own_daemon.wait_until("ready")
    assert stat.S_IMODE(own_daemon.run_dir.stat().st_mode) == 0o700
    for name in ("requests", "events"):
        assert stat.S_IMODE((own_daemon.run_dir / name).stat().st_mode) & 0o077 == 0


def test_clients_outlive_a_killed_daemon(own_daemon: DaemonProcess, pixels: NDArray[np.uint8]) -> None:
    """After kill -9 and a new start the same client and the same listener go on, and see a new epoch."""
    own_daemon.wait_until("ready")
    with (
        HandClient(own_daemon.requests_address, source="survivor", timeout_ms=20_000) as client,
        HandEvents("survivor", own_daemon.events_address) as events,
    ):
        wait_until_subscribed(client, hands_topic("survivor"))
        first = client.estimate(pixels[0], "right")
        assert events.next(EVENT_MS) is not None
        own_daemon.process.send_signal(signal.SIGKILL)
        own_daemon.process.wait()
        with pytest.raises(NoReplyError):
            client.estimate(pixels[0], "right", timeout_ms=200)
        own_daemon.start()
        own_daemon.wait_until("ready")
        wait_for(
            lambda: events.next(100) is None and hands_topic("survivor") in client.status().subscriptions,
            "a SUB has subscribed anew, which it does while its owner waits on it",
            30,
        )
        second = client.estimate(pixels[0], "right")
        assert second.epoch != first.epoch
        assert second.seq == 1
        assert np.array_equal(second.hands[0].vertices, first.hands[0].vertices)  # type: ignore[arg-type]
        event = events.next(EVENT_MS)
        assert event is not None
        assert event.epoch == second.epoch
        assert (event.missed, event.starts_anew) == (0, True)


def test_second_daemon_leaves_the_first_alone(own_daemon: DaemonProcess) -> None:
    """A second daemon for the same directory says who is there and ends with 75."""
    own_daemon.wait_until("ready")
    with DaemonProcess(run_dir=own_daemon.run_dir) as second:
        assert second.process.wait(60) == 75
        assert f"pid {own_daemon.process.pid}" in second.log()
    own_daemon.wait_until("ready")
    assert own_daemon.stop() == 0


def test_converted_model_is_served(seeded_folder: Path, pixels: NDArray[np.uint8]) -> None:
    """A converted folder is served under its name."""
    with DaemonProcess(str(seeded_folder)) as daemon, HandClient(daemon.requests_address, timeout_ms=20_000) as client:
        status = daemon.wait_until("ready")
        assert status.model is not None
        assert (status.model.name, status.model.width, status.model.depth) == ("small", 64, 1)
        assert client.estimate(pixels[0], "left").hands[0].side == "left"
        assert daemon.stop() == 0


def test_broken_model_never_becomes_ready(seeded_folder: Path, tmp_path: Path, pixels: NDArray[np.uint8]) -> None:
    """With damaged weights the daemon stays up, degraded, and says which file is wrong."""
    broken = Path(shutil.copytree(seeded_folder, tmp_path / "broken"))
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with DaemonProcess(str(broken)) as daemon, HandClient(daemon.requests_address, timeout_ms=20_000) as client:
        status = daemon.wait_until("degraded")
        assert "model.safetensors" in status.reason
        with pytest.raises(RefusedError) as refused:
            client.estimate(pixels[0], "right")
        assert refused.value.code == ErrorCode.ENGINE_ERROR
        assert "model.safetensors" in refused.value.message
        assert daemon.stop() == 0


def test_missing_model_ends_at_once(tmp_path: Path) -> None:
    """A model that is not there is a configuration error: 78, and one line."""
    with DaemonProcess(str(tmp_path / "nowhere")) as daemon:
        assert daemon.process.wait(60) == 78
        assert "nowhere" in daemon.log()
        assert daemon.log().count("\n") == 1


def test_states_are_told_as_they_change(own_daemon: DaemonProcess) -> None:
    """From before the daemon answers until it stops; who waits until it is ready need not listen."""
    with StateEvents(run_dir=own_daemon.run_dir) as states, HandClient(run_dir=own_daemon.run_dir) as client:
        client.wait_until_ready()
        assert client.status().ready
        seen = [states.next(EVENT_MS)]
        while seen[-1] is not None and seen[-1].state != "ready":
            seen.append(states.next(EVENT_MS))
        assert own_daemon.stop() == 0
        while seen[-1] is not None and seen[-1].state != "stopped":
            seen.append(states.next(EVENT_MS))
    told = [event.state for event in seen if event is not None]
    assert told[-3:] == ["ready", "draining", "stopped"]
    assert len({event.epoch for event in seen if event is not None}) == 1
