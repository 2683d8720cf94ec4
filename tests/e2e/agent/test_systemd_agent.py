"""The agent on Linux: the real daemon under a real systemd user manager, started for the test alone."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.sidecar.fakes import wait_for
from wilor_sidecar.agent.definitions import UNIT
from wilor_sidecar.mlx_settings import agent_cache_directory, cache_directory

from .conftest import WAIT_S

_MANAGER = Path(__file__).parent / "own_manager.sh"


class LinuxSession:
    """Somebody's session on a Linux with systemd.

    Attributes:
        home: the home directory, with a space and other characters that are hard to quote.
        unit: what `agent install` writes.
    """

    def __init__(self, folder: Path) -> None:
        self.home = folder / "Zoë & Søn %h $HOME"
        self.home.mkdir()
        self.runtime = folder / "runtime"
        self.runtime.mkdir(mode=0o700)
        self.unit = self.home / ".config" / "systemd" / "user" / UNIT
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self.environment = {
            **kept,
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(self.runtime),
            # The tests': or each daemon would compile MLX's kernels for itself.
            "XDG_CACHE_HOME": str(cache_directory().parent),
        }

    def agent(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run `wilor-sidecar agent ...`."""
        return self._run(sys.executable, "-m", "wilor_sidecar", "agent", *arguments)

    def show(self, name: str) -> str:
        """A property of the unit, from systemd."""
        return self._run("systemctl", "--user", "show", UNIT, f"--property={name}", "--value").stdout.strip()

    def set(self, text: str) -> None:
        """Write the settings file."""
        file = self.home / ".config" / "wilor-sidecar" / "config.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def pid(self) -> int:
        """Of the daemon, which runs."""
        pid = int(self.show("MainPID"))
        assert pid > 1
        return pid

    def _run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(command, capture_output=True, text=True, env=self.environment, timeout=240, check=False)


@pytest.fixture(scope="module")
def linux() -> Iterator[LinuxSession]:
    """A session with a manager of its own, for the whole file: nothing is installed at first."""
    if sys.platform != "linux" or os.getuid() != 0 or not shutil.which("systemctl") or not shutil.which("unshare"):
        pytest.skip("a systemd manager of the test's own needs Linux, root, systemctl and unshare")
    with tempfile.TemporaryDirectory(prefix="sd-", dir="/tmp") as name:
        session = LinuxSession(Path(name))
        command = ["unshare", "--mount", str(_MANAGER), name, "cat"]
        # it lives until its input ends
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, env=session.environment, stderr=subprocess.PIPE
        ) as manager:
            wait_for(lambda: manager.poll() is not None or session.show("LoadState") != "", "the manager", WAIT_S)
            if manager.poll() is not None:
                assert manager.stderr is not None
                pytest.skip(f"no systemd manager could be started here: {manager.stderr.read().decode()[-500:]}")
            yield session
            session.agent("uninstall")
            assert manager.stdin is not None
            manager.stdin.close()
            manager.wait(WAIT_S)


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

    assert list((agent_cache_directory() / "kernels").rglob("*.so")), "the agent's daemon has a cache of its own"
    of_others = cache_directory() / "of-others"
    of_others.touch()
    removed = linux.agent("uninstall")
    assert removed.returncode == 0, removed.stderr
    assert f"removed {agent_cache_directory()}\n" in removed.stdout
    assert not agent_cache_directory().exists()
    assert of_others.exists()
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


def test_a_crash_is_followed_by_a_start(installed: LinuxSession) -> None:
    """Killed, it is there again."""
    before = installed.pid()
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: installed.show("NRestarts") == "1" and installed.agent("status").returncode == 0, "ready", WAIT_S)
    assert installed.pid() != before
    assert ", start 2\n" in installed.agent("status").stdout


def test_a_stop_is_not(installed: LinuxSession) -> None:
    """Told to stop, by us or by anybody, it ends with 0 and stays away, until it is started."""
    os.kill(installed.pid(), signal.SIGTERM)
    wait_for(lambda: installed.show("ActiveState") == "inactive", "inactive", WAIT_S)
    status = installed.agent("status")
    assert status.returncode == 1
    assert "last exit   0\n" in status.stdout
    assert installed.agent("start").returncode == 0
    assert installed.agent("stop").returncode == 0
    assert installed.show("ActiveState") == "inactive"


def test_wrong_settings_do_not_loop(installed: LinuxSession) -> None:
    """Once refused, it is not started again; the status says with what, and the settings' mistake."""
    installed.set('modle = "embedded"\n')
    os.kill(installed.pid(), signal.SIGKILL)
    wait_for(lambda: installed.show("ActiveState") == "failed", "failed", WAIT_S)
    assert installed.show("NRestarts") == "1"
    status = installed.agent("status")
    assert status.returncode == 1
    assert "last exit   78\n" in status.stdout
    assert "modle" in status.stdout
    installed.set("")
    assert installed.agent("restart").returncode == 0


def test_a_hung_daemon_is_replaced(installed: LinuxSession) -> None:
    """Stopped in its tracks it feeds no watchdog, and systemd starts another; one that lives is left alone."""
    override = installed.unit.with_name(f"{UNIT}.d") / "quick.conf"
    override.parent.mkdir(exist_ok=True)
    override.write_text("[Service]\nWatchdogSec=3\n")
    try:
        assert installed.agent("restart").returncode == 0
        before = installed.pid()
        wait_for(lambda: int(installed.show("WatchdogTimestampMonotonic")) > _started(installed) + 6e6, "fed", WAIT_S)
        assert installed.pid() == before, "a daemon that lives was not believed"
        os.kill(before, signal.SIGSTOP)
        wait_for(lambda: installed.show("NRestarts") == "1" and installed.agent("status").returncode == 0, "ready", 120)
        assert installed.pid() != before
    finally:
        shutil.rmtree(override.parent)


def _started(session: LinuxSession) -> int:
    return int(session.show("ExecMainStartTimestampMonotonic"))
