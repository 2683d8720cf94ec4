"""Somebody's session on a Linux, with a real systemd user manager that is started for the test alone."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.sidecar.fakes import wait_for
from wilor_sidecar.agent.definitions import UNIT
from wilor_sidecar.mlx_settings import kernels_directory

from .session import WAIT_S, fill_cache

_MANAGER = Path(__file__).parent / "own_manager.sh"


class LinuxSession:
    """Somebody's session on a Linux with systemd.

    Attributes:
        home: the home directory.
        kernels: that MLX compiles for the daemon; not in the home, for a shell would not understand its name.
        run_dir: where the daemon answers.
        unit: what `agent install` writes.
    """

    def __init__(self, folder: Path, user: str) -> None:
        self.home = folder / user
        self.home.mkdir()
        fill_cache(self.home / ".cache")
        self.kernels = kernels_directory(self.home / ".cache" / "wilor-sidecar", of_agent=True)
        self._ends = folder / "ends"
        self.runtime = folder / "runtime"
        self.runtime.mkdir(mode=0o700)
        self.run_dir = self.runtime / "wilor-sidecar"
        self.unit = self.home / ".config" / "systemd" / "user" / UNIT
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self.environment = {
            **kept,
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(self.runtime),
        }

    def agent(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run `wilor-sidecar agent ...`, in a shell with further variables."""
        return self._run(sys.executable, "-m", "wilor_sidecar", "agent", *arguments, **variables)

    def doctor(self) -> list[str]:
        """What `wilor-sidecar doctor` says of the agent."""
        code = "from pathlib import Path; from wilor_sidecar.doctor.agent import check_agent as check\n"
        code += "for finding in check(Path.home()): print(*finding.line().split())"
        return self._run(sys.executable, "-c", code).stdout.splitlines()

    def systemctl(self, *arguments: str) -> None:
        """Run it."""
        done = self._run("systemctl", "--user", *arguments)
        assert done.returncode == 0, done.stderr

    def show(self, name: str) -> str:
        """A property of the unit, from systemd."""
        return self._run("systemctl", "--user", "show", UNIT, f"--property={name}", "--value").stdout.strip()

    def set(self, text: str) -> None:
        """Write the settings file."""
        file = self.home / ".config" / "wilor-sidecar" / "config.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def override(self, *lines: str) -> None:
        """Change the service as `systemctl edit` does, and start it anew; no lines: take the changes back."""
        self.edit(*lines)
        assert self.agent("restart").returncode == 0

    def edit(self, *lines: str) -> None:
        """The same for its next start."""
        file = self.unit.with_name(f"{UNIT}.d") / "override.conf"
        file.parent.mkdir(exist_ok=True)
        file.write_text("\n".join(["[Service]", *lines, ""]))
        if not lines:
            shutil.rmtree(file.parent)

    def use_program(self, program: Path) -> None:
        """Have the definition start another program, and start it."""
        noting = f"ExecStopPost=/bin/sh -c 'echo $$EXIT_CODE $$EXIT_STATUS >>{self._ends}'"
        self.override("ExecStart=", f'ExecStart=:"{program}" serve --supervisor=systemd', noting)

    def pid(self) -> int | None:
        """Of the daemon's process; None: there is none."""
        return int(self.show("MainPID")) or None

    def kill(self, number: signal.Signals) -> None:
        """Send the daemon's process a signal."""
        pid = self.pid()
        assert pid is not None
        os.kill(pid, number)

    def starts(self) -> int:
        """How often systemd has started the daemon since it was told to."""
        return int(self.show("NRestarts")) + 1

    def last_end(self) -> int:
        """As systemd told it, see `use_program`: after another start it remembers nothing."""
        code, status = self._ends.read_text().splitlines()[-1].split()
        return int(status) if code == "exited" else -signal.Signals[f"SIG{status}"]

    def has_settled(self) -> bool:
        """There is no process, and systemd will start none."""
        return self.show("ActiveState") in ("inactive", "failed")

    def _run(self, *command: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        environment = {**self.environment, **variables}
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240, check=False)


@contextmanager
def linux_session(user: str = "Zoë & Søn %h $HOME") -> Iterator[LinuxSession]:
    """A session with a manager of its own; nothing is installed. The test is skipped where there can be none.

    Args:
        user: the home directory's name.
    """
    if sys.platform != "linux" or os.getuid() != 0 or not shutil.which("systemctl") or not shutil.which("unshare"):
        pytest.skip("a systemd manager of the test's own needs Linux, root, systemctl and unshare")
    with tempfile.TemporaryDirectory(prefix="sd-", dir="/tmp") as name:
        session = LinuxSession(Path(name), user)
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
