"""Ends that are no crashes: what they are taken for, and that nobody is held to them at the next start."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.faulty_daemon import Fault, crop_with, faulty_daemon
from tests.e2e.stopped_daemon import MOMENTS, stopped_daemon
from tests.e2e.test_faults import client_of, refusal_of
from wilor_client import ErrorCode
from wilor_sidecar.cli.exits import Exit

WAIT_S = 30
AFTER_ONE = ("--most-failed-starts", "1")
"""A single start that counted as failed would show at the next."""


def assert_starts_afresh(run_dir: Path) -> None:
    """The next start loads its network."""
    assert not (run_dir / "starts.json").exists()
    with faulty_daemon(*AFTER_ONE, run_dir=run_dir) as daemon:
        assert daemon.wait_until("ready", "degraded").state == "ready"
        assert daemon.stop() == Exit.OK


@pytest.mark.parametrize("setting", ["metrics", "tcp"])
def test_a_port_that_is_taken_is_no_failed_start(setting: str, short_dir: Path) -> None:
    """It may be free soon, or another is set: 75, and the next start is a first one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        keys = ("--keys-dir", str(short_dir / "keys"))
        with faulty_daemon(*AFTER_ONE, f"--{setting}", where, *keys, run_dir=short_dir) as daemon:
            assert daemon.process.wait(WAIT_S) == Exit.TEMPORARY
            assert f"{setting}: cannot listen at {where}" in daemon.log()
    assert_starts_afresh(short_dir)


@contextmanager
def hangup(handler: signal.Handlers) -> Iterator[None]:
    """What is started meanwhile begins with this for SIGHUP."""
    before = signal.signal(signal.SIGHUP, handler)
    yield
    signal.signal(signal.SIGHUP, before)


def test_a_closed_terminal_is_a_stop(short_dir: Path) -> None:
    """SIGHUP is what SIGTERM is: 0, and no failed start."""
    with hangup(signal.SIG_DFL), faulty_daemon(*AFTER_ONE, run_dir=short_dir) as daemon:
        daemon.wait_until("ready")
        daemon.process.send_signal(signal.SIGHUP)
        assert daemon.process.wait(WAIT_S) == Exit.OK
        assert "stopped: asked to stop" in daemon.log()
    assert_starts_afresh(short_dir)


def test_under_nohup_a_closed_terminal_is_nothing(short_dir: Path) -> None:
    """Who started it says so by having SIGHUP ignored."""
    with hangup(signal.SIG_IGN), faulty_daemon(run_dir=short_dir) as daemon, client_of(daemon) as client:
        daemon.wait_until("ready")
        daemon.process.send_signal(signal.SIGHUP)
        assert len(client.estimate(crop_with(Fault.NONE), "right").hands) == 1
        assert daemon.stop() == Exit.OK


@pytest.mark.parametrize("moment", MOMENTS)
def test_who_is_asked_to_stop_has_stopped(moment: str, short_dir: Path) -> None:
    """Also when its engine fails in the same moment, or has just done so: a supervisor starts nothing again."""
    with stopped_daemon(moment, short_dir) as daemon, client_of(daemon) as client:
        daemon.wait_until("ready")
        assert refusal_of(client, Fault.END_OF_THREAD).code == ErrorCode.ENGINE_ERROR
        assert daemon.process.wait(WAIT_S) == Exit.OK, daemon.log()
        assert "failed: the engine's thread has died" in daemon.log()
        assert "a mistake" not in daemon.log()
    assert_starts_afresh(short_dir)


def test_control_nobody_asked(short_dir: Path) -> None:
    """Control: the same failure alone is one, and counts."""
    with faulty_daemon(run_dir=short_dir) as daemon, client_of(daemon) as client:
        daemon.wait_until("ready")
        refusal_of(client, Fault.END_OF_THREAD)
        assert daemon.process.wait(WAIT_S) == Exit.ENGINE_FAULT
    assert "thread has died" in (short_dir / "starts.json").read_text()
