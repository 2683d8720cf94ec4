"""`wilor-sidecar status` tells the truth, whatever stage of its life the daemon is in or was killed in."""

import threading
from contextlib import suppress

import pytest

from tests.e2e.faulty_daemon import Fault, crop_with, faulty_daemon
from tests.unit.sidecar.fakes import wait_for
from wilor_client import HandClient
from wilor_client.errors import HandClientError
from wilor_protocol.replies import State
from wilor_sidecar.cli.main import main
from wilor_sidecar.daemon_process import DaemonProcess

STAGES: dict[State, tuple[str, str]] = {
    "loading": ("hang", "reading and checking the weights"),
    "warming": ("hanging warm-up", "running every batch size once, which can take minutes where"),
    "ready": ("", "serving"),
    "degraded": ("raise", "model.safetensors: not what it should be"),
    "draining": ("", "asked to stop"),
}
"""How the network is held in a stage, and the reason that is given for it."""


def stop_while_busy(daemon: DaemonProcess) -> None:
    """Ask it to stop while a batch runs that is held."""

    def estimate() -> None:
        with HandClient(daemon.requests_address, timeout_ms=20_000) as client, suppress(HandClientError):
            client.estimate(crop_with(Fault.HOLD), "right")

    threading.Thread(target=estimate).start()
    with HandClient(daemon.requests_address, timeout_ms=20_000) as client:
        wait_for(lambda: client.status().queue.running_crops == 1, "a batch in flight", 30)
    daemon.process.terminate()


@pytest.mark.parametrize("stage", STAGES)
def test_status_at_each_stage(stage: State, capsys: pytest.CaptureFixture[str]) -> None:
    """It names the stage and why; only `ready` is success. Killed there, nobody answers, and nothing stale is said."""
    load, reason = STAGES[stage]
    with faulty_daemon("--hang-limit", "60", load=load, drain_s=60) as daemon:
        if stage == "draining":
            daemon.wait_until("ready")
            stop_while_busy(daemon)
        daemon.wait_until(stage)
        exit_status = main(["status", "--run-dir", str(daemon.run_dir)])
        told = capsys.readouterr()
        assert told.out.startswith(f"{stage}: {reason}"), told
        assert exit_status == (0 if stage == "ready" else 1)
        daemon.process.kill()
        daemon.process.wait()
        assert main(["status", "--run-dir", str(daemon.run_dir)]) == 1
        told = capsys.readouterr()
        assert told.out == ""
        assert str(daemon.run_dir) in told.err
