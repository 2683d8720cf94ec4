"""The agent on Linux: the real daemon under a real systemd user manager, started for the test alone."""

import signal
import socket
import time
from pathlib import Path

import pytest

from tests.unit.sidecar.fakes import wait_for
from wilor_sidecar.agent.definitions import UNIT
from wilor_sidecar.cli.supervised import TRY_AGAIN_S
from wilor_sidecar.daemon_process import DaemonProcess

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

    assert list(linux.kernels.rglob("*.so")), "there are kernels to be removed"
    removed = linux.agent("uninstall")
    assert removed.returncode == 0, removed.stderr
    assert f"removed {linux.unit}\n" in removed.stdout
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
    installed.override("WatchdogSec=6")
    try:
        before = installed.pid()
        wait_for(lambda: int(installed.show("WatchdogTimestampMonotonic")) > _started(installed) + 12e6, "fed", WAIT_S)
        assert installed.pid() == before, "a daemon that lives was not believed"
        installed.kill(signal.SIGSTOP)
        wait_for(lambda: installed.starts() == 2 and installed.agent("status").returncode == 0, "ready", 120)
        assert installed.pid() != before
    finally:
        installed.override()


def test_it_waits_for_another_daemon_for_as_long_as_it_takes(installed: LinuxSession) -> None:
    """Beyond the time that a start may take, without a second start, until the other one ends: then it is ready."""
    assert installed.agent("stop").returncode == 0
    installed.edit("TimeoutStartSec=20", "[Unit]", "StartLimitBurst=1")
    try:
        with DaemonProcess(run_dir=installed.run_dir) as other:
            other.wait_until("ready")
            started = installed.agent("start")
            assert started.returncode == 1
            assert f"another daemon (pid {other.process.pid}) serves there already" in started.stderr
            wait_for(lambda: time.monotonic() * 1e6 > _started(installed) + 22e6, "its time is over", WAIT_S)
            assert installed.starts() == 1
            assert installed.show("StatusText").endswith("is already running there; waiting until it ends")
            assert other.stop() == 0
        wait_for(lambda: installed.agent("status").returncode == 0, "ready", WAIT_S)
        assert installed.starts() == 1
    finally:
        installed.override()


def test_a_taken_port_is_tried_again_and_again(installed: LinuxSession) -> None:
    """It may be free in a minute: the start fails for the time being, and systemd does not give up in a storm."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        installed.set(f'metrics = "127.0.0.1:{taken.getsockname()[1]}"\n')
        began = time.monotonic()
        try:
            assert installed.agent("restart", "--timeout", "1").returncode == 1
            told = "Address already in use; another try in 10 s"
            wait_for(lambda: told in installed.agent("start", "--timeout", "1").stderr, told, WAIT_S)
            says = "it says     starting: metrics: cannot listen at "
            wait_for(lambda: says in installed.agent("status").stdout, says, WAIT_S)
            wait_for(lambda: installed.starts() >= 2, "another start", WAIT_S)
            taken.close()
            wait_for(lambda: installed.agent("status").returncode == 0, "ready", WAIT_S)
            assert installed.starts() <= 1 + (time.monotonic() - began) / TRY_AGAIN_S
        finally:
            installed.set("")
            assert installed.agent("restart").returncode == 0


def test_it_goes_by_the_manager_s_environment_and_the_settings_file(linux: LinuxSession) -> None:
    """Not by this shell's, and by no variable of ours: commands and daemon agree on where everything is."""
    linux.agent("uninstall")
    elsewhere = linux.runtime / "config"
    (elsewhere / "wilor-sidecar").mkdir(parents=True)
    (elsewhere / "wilor-sidecar" / "config.toml").write_text('log_level = "debug"\n')
    in_vain = {"XDG_CONFIG_HOME": "/nowhere", "WILOR_SIDECAR_LOG_LEVEL": "loud"}
    linux.systemctl("set-environment", f"XDG_CONFIG_HOME={elsewhere}", "WILOR_SIDECAR_RUN=/elsewhere")
    try:
        installed = linux.agent("install", **in_vain)
        assert installed.returncode == 0, installed.stderr
        unseen = "the agent does not see this shell's WILOR_SIDECAR_LOG_LEVEL, XDG_CONFIG_HOME"
        assert unseen in installed.stderr
        assert f"Settings: {elsewhere / 'wilor-sidecar' / 'config.toml'}\n" in installed.stdout
        assert linux.unit.is_file(), "where the manager has looked since it was started"
        assert linux.agent("status", **in_vain).returncode == 0
    finally:
        linux.systemctl("unset-environment", "XDG_CONFIG_HOME", "WILOR_SIDECAR_RUN")
        assert linux.agent("restart").returncode == 0


def test_the_doctor_asks_systemd(linux: LinuxSession) -> None:
    """A file that is there is not enough: it counts whether the next login starts a program that is there."""
    linux.agent("uninstall")
    assert linux.doctor()[0].startswith("warning agent the daemon is not started at login")
    linux.set("")
    assert linux.agent("install").returncode == 0
    assert [line.split()[:2] for line in linux.doctor()] == [["ok", "agent"]]
    linux.systemctl("disable", UNIT)
    assert "it is switched off" in linux.doctor()[0]
    assert "at login    it is not started" in linux.agent("status").stdout
    linux.systemctl("enable", UNIT)
    linux.edit("ExecStart=", 'ExecStart=:"/nowhere/wilor-sidecar" serve')
    linux.systemctl("daemon-reload")
    [gone] = linux.doctor()
    assert gone.startswith("problem agent ")
    assert "start /nowhere/wilor-sidecar, which is no program" in gone
    linux.override()
    linux.set('models_dir = "/nowhere"\n')
    [_, wrong] = linux.doctor()
    assert wrong.startswith("problem agent it will not start: models_dir: expected a folder, got /nowhere")
    linux.set("")


def test_uninstall_leaves_no_trace_of_what_is_half_gone(installed: LinuxSession) -> None:
    """The file removed by hand: daemon and link go all the same; changed by hand: it is kept under another name."""
    link = installed.unit.parent / "default.target.wants" / UNIT
    assert link.is_symlink()
    pid = installed.pid()
    installed.unit.unlink()
    installed.systemctl("daemon-reload")
    assert installed.agent("uninstall").returncode == 0
    assert not link.is_symlink()
    assert not (Path("/proc") / str(pid)).exists()

    assert installed.agent("install").returncode == 0
    installed.unit.write_text(installed.unit.read_text().replace("TimeoutStopSec=10", "TimeoutStopSec=11"))
    removed = installed.agent("uninstall").stdout
    kept = installed.unit.with_name(f"{UNIT}.bak")
    assert f"removed {installed.unit}, which was changed by hand: it is kept as {kept}\n" in removed
    assert "TimeoutStopSec=11" in kept.read_text()
    assert not installed.unit.exists()
    kept.unlink()


def _started(session: LinuxSession) -> int:
    return int(session.show("ExecMainStartTimestampMonotonic"))
