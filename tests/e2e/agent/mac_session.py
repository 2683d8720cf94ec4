"""A Mac's login session, as far as this system can be one: a home of the test's own, and a stand-in for launchd."""

import json
import os
import plistlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from tests.unit.sidecar.fakes import wait_for
from wilor_protocol.replies import State, StatusReply
from wilor_sidecar.agent.definitions import LABEL
from wilor_sidecar.agent.waiting import ask

from .session import WAIT_S, fill_cache

_HERE = Path(__file__).parent
_AGENT = (sys.executable, str(_HERE / "as_on_a_mac.py"), "agent")
THROTTLE_SCALE = 0.1
"""launchd's 10 s become 1 s."""


class MacSession:
    """Somebody's session on a Mac.

    Attributes:
        home: the home directory, with a space and other characters that are hard to quote.
        run_dir: where the settings file puts the sockets.
        plist: what `agent install` writes.
    """

    def __init__(self, folder: Path) -> None:
        self.home = folder / 'Zoë "Z" & Søn <1> %h $HOME'
        self.run_dir = folder / "run"
        self.plist = self.home / "Library" / "LaunchAgents" / f"{LABEL}.plist"
        self.logs = self.home / "Library" / "Logs" / "wilor-sidecar"
        self._state = folder / "launchd"
        for path in (self.home, self._state, folder / "bin"):
            path.mkdir()
        launchctl = folder / "bin" / "launchctl"
        launchctl.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{_HERE / "stand_in_launchd.py"}" "$@"\n')
        launchctl.chmod(0o755)
        self._environment = {
            "HOME": str(self.home),
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "STAND_IN_LAUNCHD": str(self._state),
            "STAND_IN_SCALE": str(THROTTLE_SCALE),
            "XDG_CACHE_HOME": str(folder / "cache"),  # this system's daemon looks there, and not where a Mac's does
        }
        fill_cache(folder / "cache")
        self.log_in_at_the_screen()
        self.set()

    def set(self, **settings: str) -> None:
        """Write the settings file, where a Mac has it and where this system's daemon looks for it."""
        values = {"run_dir": str(self.run_dir), **settings}
        lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in values.items()]
        for folder in (self.home / "Library" / "Application Support", self.home / ".config"):
            file = folder / "wilor-sidecar" / "config.toml"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("".join(lines))

    def use_program(self, program: Path) -> None:
        """Have the definition start another program, and start it."""
        self.define_program(program)
        assert self.agent("restart").returncode == 0

    def define_program(self, program: Path) -> None:
        """The same for its next start."""
        text = self.plist.read_text()
        [installed] = [
            each for each in plistlib.loads(text.encode())["ProgramArguments"] if each.endswith("/wilor-sidecar")
        ]
        self.plist.write_text(text.replace(escape(installed), escape(str(program))))

    def log_in_at_the_screen(self, *, logged_in: bool = True) -> None:
        """Begin or end the session that has a screen."""
        (self._state / "screen").touch() if logged_in else (self._state / "screen").unlink()

    def refuse(self, domain: str, status: int | None) -> None:
        """Have a domain, "gui" or "user", take no service, with this exit status of launchctl; None: as usual."""
        file = self._state / f"refusing_{domain}"
        file.write_text(str(status)) if status else file.unlink()

    def agent(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run `wilor-sidecar agent ...`."""
        environment = {**self._environment, **variables}
        command = [*_AGENT, *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240, check=False)

    def agent_that_goes_on(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start `wilor-sidecar agent ...`, which does not end by itself; its output is piped."""
        return subprocess.Popen([*_AGENT, *arguments], stdout=subprocess.PIPE, text=True, env=self._environment)

    def doctor(self) -> list[str]:
        """What `wilor-sidecar doctor` says of the agent."""
        code = "import sys; from pathlib import Path; from wilor_sidecar.doctor.agent import check_agent as check\n"
        code += "sys.platform = 'darwin'\nfor finding in check(Path.home()): print(*finding.line().split())"
        command = [sys.executable, "-c", code]
        run = subprocess.run(command, capture_output=True, text=True, env=self._environment, timeout=60, check=True)
        return run.stdout.splitlines()

    def launchctl(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run the stand-in."""
        command = [sys.executable, str(_HERE / "stand_in_launchd.py"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=self._environment, timeout=60, check=False)

    def job(self, domain: str = "gui") -> dict[str, Any] | None:
        """What the stand-in knows of the daemon; None: it is not loaded."""
        file = self._state / f"{domain}_{os.getuid()}_{LABEL}.json"
        try:
            found: dict[str, Any] = json.loads(file.read_text())
        except FileNotFoundError:
            return None
        return found

    def pid(self) -> int | None:
        """Of the daemon's process; None: there is none."""
        job = self.job()
        return None if job is None else job["pid"]

    def kill(self, number: signal.Signals) -> None:
        """Send the daemon's process a signal."""
        pid = self.pid()
        assert pid is not None
        os.kill(pid, number)

    def starts(self) -> int:
        """How often launchd has started the daemon since it was loaded."""
        job = self.job()
        assert job is not None
        return int(job["runs"])

    def wait_for_job(self, **wanted: object) -> dict[str, Any]:
        """Wait until the stand-in says all of this of the job."""
        jobs: list[dict[str, Any]] = []

        def is_so() -> bool:
            jobs[:] = [job] if (job := self.job()) is not None else []
            return bool(jobs) and jobs[0].items() >= wanted.items()

        wait_for(is_so, f"the job as {wanted}", WAIT_S)
        return jobs[0]

    def wait_until(self, *states: State) -> StatusReply:
        """Wait until the daemon that launchd runs is in one of these states."""
        found: list[StatusReply] = []

        def is_so() -> bool:
            found[:] = [status] if (status := ask(self.run_dir)) is not None else []
            return bool(found) and found[0].state in states and found[0].pid == self.pid()

        wait_for(is_so, f"the daemon is {' or '.join(states)}", WAIT_S)
        return found[0]

    def last_end(self) -> int:
        """As the stand-in saw it."""
        job = self.job()
        assert job is not None
        return int(job["last"])

    def has_settled(self) -> bool:
        """There is no process, and launchd will start none."""
        job = self.job()
        return job is not None and job["state"] == "not running"

    def clean_up(self) -> None:
        """End what runs still."""
        for file in self._state.glob("*.json"):
            for who in ("manager", "pid"):  # in this order: who is gone starts nobody
                process = json.loads(file.read_text())[who]
                if process:
                    with suppress(ProcessLookupError):  # it has ended since that was written
                        os.kill(process, signal.SIGKILL)


@contextmanager
def mac_session() -> Iterator[MacSession]:
    """A session; nothing is installed."""
    with tempfile.TemporaryDirectory(prefix="mac-", dir="/tmp") as folder:
        session = MacSession(Path(folder))
        try:
            yield session
        finally:
            session.clean_up()
