"""The agent on Linux: the real daemon under a real systemd user manager, started for the test alone."""

import signal
from pathlib import Path

import pytest

from tests.unit.sidecar.fakes import wait_for

from .linux_session import LinuxSession
from .session import WAIT_S


@pytest.fixture
def installed(linux: LinuxSession) -> LinuxSession:
    """The session with the agent installed, as new, and ready."""
    linux.set("")
    run = linux.agent("install")
    assert run.returncode == 0, run.stderr
    return linux


def test_an_agent_from_install_to_uninstall(linux: LinuxSession) -> None:
    """Installed it is ready, enabled and known to systemd as ready; uninstalled it leaves settings and nothing else."""
    linux.set("")
    installed = linux.agent("install")
    assert installed.returncode == 0, installed.stderr
    assert f"wrote {linux.unit}:\n[Unit]" in installed.stdout
    assert "\nready: serving embedded" in installed.stdout
    assert linux.show("ActiveState") == "active"
    assert linux.show("UnitFileState") == "enabled"
    assert linux.show("StatusText").startswith("ready: serving embedded")

    status = linux.agent("status")
    assert status.returncode == 0
    assert status.stdout.startswith(f"systemd     active (running)\npid         {linux.pid()}, start 1\n")
    assert "\nready: serving embedded" in status.stdout

    pid = linux.pid()
    assert f"{linux.unit} is as it should be\n" in linux.agent("install").stdout
    assert linux.pid() == pid

    assert list(linux.kernels.rglob("*.so")), "the agent's daemon has kernels of its own"
    removed = linux.agent("uninstall")
    assert removed.returncode == 0, removed.stderr
    assert not linux.kernels.exists()
    assert linux.show("LoadState") == "not-found"
    assert [path.name for path in linux.home.rglob("*") if not path.is_dir()] == ["config.toml"]
    assert not (linux.runtime / "wilor-sidecar").exists()


def test_it_is_confined(installed: LinuxSession) -> None:
    """The kernel agrees that the process has no new privileges, a filter of system calls, private files and no core."""
    proc = Path("/proc") / str(installed.pid())
    facts = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines() if ":\t" in line)
    assert (facts["NoNewPrivs"], facts["Seccomp"], facts["Umask"]) == ("1", "2", "0077")
    limits = {line[:26].strip(): line[26:].split() for line in (proc / "limits").read_text().splitlines()}
    assert limits["Max core file size"][:2] == ["0", "0"]
    assert int(limits["Max open files"][0]) >= 4096


def test_wrong_settings_do_not_loop(installed: LinuxSession) -> None:
    """Once refused, it is not started again; the status says with what, and the settings' mistake."""
    installed.set('modle = "embedded"\n')
    installed.kill(signal.SIGKILL)
    wait_for(lambda: installed.show("ActiveState") == "failed", "failed", WAIT_S)
    assert installed.starts() == 2
    status = installed.agent("status")
    assert status.returncode == 1
    assert "last exit   78\n" in status.stdout
    assert "modle" in status.stdout
    installed.set("")
    assert installed.agent("restart").returncode == 0


def test_a_hung_daemon_is_replaced(installed: LinuxSession) -> None:
    """Stopped in its tracks it feeds no watchdog, and systemd starts another; one that lives is left alone."""
    installed.override("WatchdogSec=3")
    try:
        before = installed.pid()
        wait_for(lambda: int(installed.show("WatchdogTimestampMonotonic")) > _started(installed) + 6e6, "fed", WAIT_S)
        assert installed.pid() == before, "a daemon that lives was not believed"
        installed.kill(signal.SIGSTOP)
        wait_for(lambda: installed.starts() == 2 and installed.agent("status").returncode == 0, "ready", 120)
        assert installed.pid() != before
    finally:
        installed.override()


def _started(session: LinuxSession) -> int:
    return int(session.show("ExecMainStartTimestampMonotonic"))
