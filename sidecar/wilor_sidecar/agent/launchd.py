"""The agent under launchd, driven with launchctl.

Of launchctl's output only what it prints of a service is read, and that with care: it is documented nowhere. Its exit
statuses are: 113 for a service that is not known, 112 or 125 for a domain that is not, as that of the screen where
nobody is logged in there; 3 for a service that is not loaded, 5 for one that is loaded already or still on its way out.
With 5 and 125 a domain may also refuse a service for good, though it is known: people report hosts with macOS 26 where
only one of gui/ and user/ takes services, and not the same one everywhere.
"""

import plistlib
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from wilor_sidecar.agent.command_line import failure, run_command
from wilor_sidecar.agent.definitions import LABEL, Session, launchd_plist
from wilor_sidecar.agent.errors import AgentError, RefusedError
from wilor_sidecar.agent.launchd_files import LaunchdFiles
from wilor_sidecar.agent.report import CANNOT_BE_STARTED, Report
from wilor_sidecar.agent.written_file import WrittenFile

_LOADED_OR_LEAVING = (5, 37)
_UNSUPPORTED = 125
_DISABLED = re.compile(rf'"{re.escape(LABEL)}" => (disabled|true)')
_NEVER = "(never exited)"
_NOT_SPAWNED = "78: EX_CONFIG"
"""launchd's own way to say that it cannot start the program, or open its log. The daemon never ends so under it."""
_PATIENCE_S = 30.0
_REFUSED_AFTER_S = 10.0
"""Who does not even know the service for as long, and will not load it, is not busy with letting go of it."""
_ASK_AGAIN_S = 0.1

_FIELD = re.compile(
    r"^\t(?P<name>state|pid|runs|last exit code|last exit reason|last terminating signal) = (?P<value>.*)$",
    re.MULTILINE,
)
"""At one tab's depth: the parts of a service have a state, too, deeper."""


class Launchd:
    """See `Supervisor`."""

    name = "launchd"

    def __init__(self, environment: Mapping[str, str], home: Path, user_id: int) -> None:
        self.environment = environment  # launchd's own cannot be asked for; on a Mac the daemon's places need none
        self.file = WrittenFile(home / "Library" / "LaunchAgents" / f"{LABEL}.plist")
        self._home = home
        self._files = LaunchdFiles(home)
        self._domains: dict[Session, str] = {"Aqua": f"gui/{user_id}", "Background": f"user/{user_id}"}

    def definitions(self, program: Path) -> list[str]:
        """For the session at the screen, unless there is none, as over ssh; then for any session."""
        known: list[Session] = [session for session, domain in self._domains.items() if self._knows(domain)]
        return [
            launchd_plist(program=program, home=self._home, output=self._files.output, session=session)
            for session in known or ["Background"]
        ]

    def start(self) -> None:
        """Bootstrap it: that starts it, by RunAtLoad. A job that is loaded and does not run has an older file in it."""
        if self.report().pid is not None:
            return
        session = self._session_of_file()
        domain = self._domains[session]
        if not self._knows(domain):
            where = "at the screen " if session == "Aqua" else ""
            raise AgentError(
                f"{self.file.path} asks for a login {where}and launchd knows of none ({domain}): log in there, or run "
                "`wilor-sidecar agent install --force` here"
            )
        self.stop()
        try:
            self._files.folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # launchd does not, and fails without
        except OSError as error:
            raise AgentError(f"{self._files.folder}: cannot be made: {error.strerror}") from error
        self._enable(domain)
        self._bootstrap(domain)

    def _enable(self, domain: str) -> None:
        run = run_command(["launchctl", "enable", f"{domain}/{LABEL}"])
        if run.returncode == _UNSUPPORTED:
            raise self._refused(domain, run)
        if run.returncode != 0:
            raise failure(run)

    def _bootstrap(self, domain: str) -> None:
        """For a while after a bootout launchd takes the service for loaded still."""
        began = time.monotonic()
        while True:
            run = run_command(["launchctl", "bootstrap", domain, str(self.file.path)])
            waited_s = time.monotonic() - began
            if run.returncode == 0:
                return
            if run.returncode == _UNSUPPORTED:
                raise self._refused(domain, run)
            if run.returncode not in _LOADED_OR_LEAVING or waited_s > _PATIENCE_S:
                raise failure(run)
            if waited_s > _REFUSED_AFTER_S and not self._knows(f"{domain}/{LABEL}"):
                raise self._refused(domain, run)
            time.sleep(_ASK_AGAIN_S)

    def _refused(self, domain: str, run: "subprocess.CompletedProcess[str]") -> RefusedError:
        [other] = {*self._domains.values()} - {domain}
        return RefusedError(
            f"{failure(run)}. launchd does not take the service in {domain}: look whether System Settings > General > "
            f"Login Items has it switched off; `wilor-sidecar agent install --force` tries {other}, too"
        )

    def stop(self) -> None:
        """Boot it out: a service that is merely told to end may be about to be restarted."""
        for domain in self._domains.values():
            self._boot_out(f"{domain}/{LABEL}")

    def _boot_out(self, target: str) -> None:
        if self._knows(target):
            run_command(["launchctl", "bootout", target])  # its exit status tells nothing: it may still be ending
            _wait(lambda: not self._knows(target), f"launchd does not let go of {target}")

    def forget(self) -> str | None:
        """Stop it and remove its file."""
        self.stop()
        return self.file.remove()

    def report(self) -> Report:
        """From `launchctl print`, of whichever domain knows it."""
        for domain in self._domains.values():
            run = run_command(["launchctl", "print", f"{domain}/{LABEL}"])
            if run.returncode == 0:
                return read_print(run.stdout, domain, self._files.refusal, is_denied=self._files.tells_of_denial)
        return Report(summary="not loaded", is_loaded=False)

    def starts_at_login(self) -> bool:
        """From the file, and launchd's list of what is switched off."""
        if not self.file.path.is_file():
            return False
        domain = self._domains[self._session_of_file()]
        listed = run_command(["launchctl", "print-disabled", domain])
        return listed.returncode != 0 or _DISABLED.search(listed.stdout) is None

    def program(self) -> Path | None:
        """From the file."""
        try:
            return Path(self._keys_of_file()["ProgramArguments"][0])
        except (KeyError, IndexError, TypeError):
            return None

    def log_command(self, log_file: Path | None, lines: int, *, follow: bool) -> list[str]:
        """The log, and what was said before it was open."""
        files = [self._files.output, log_file or self._files.log]
        if not follow:
            files = [file for file in files if file.exists()]
        if not files:
            raise AgentError(f"nothing has been logged yet in {self._files.folder}: `wilor-sidecar agent start`")
        # -F goes on when the log rotates, or is not there yet; -q leaves the files' names out.
        return ["tail", "-q", "-n", str(lines), *(["-F"] if follow else []), *map(str, files)]

    def leftovers(self) -> list[Path]:
        """The logs."""
        return self._files.ours()

    def _session_of_file(self) -> Session:
        return "Background" if self._keys_of_file().get("LimitLoadToSessionType") == "Background" else "Aqua"

    def _keys_of_file(self) -> dict[str, Any]:
        try:
            found = plistlib.loads(self.file.path.read_bytes())
        except FileNotFoundError:
            raise AgentError(f"{self.file.path} is not there: `wilor-sidecar agent install` first") from None
        except OSError as error:
            raise AgentError(f"{self.file.path}: cannot be read: {error.strerror}") from error
        except (plistlib.InvalidFileException, ExpatError, ValueError) as error:
            raise AgentError(f"{self.file.path} is not a property list: {error}") from error
        if not isinstance(found, dict):
            raise AgentError(f"{self.file.path} is not a property list of a service")
        return found

    def _knows(self, target: str) -> bool:
        return run_command(["launchctl", "print", target]).returncode == 0


def read_print(text: str, domain: str, refusal: str | None, *, is_denied: bool = False) -> Report:
    """What `launchctl print` says of a service. A text that cannot be understood is still one of a loaded service.

    Args:
        text: its output.
        domain: that was asked.
        refusal: the note that the daemon left, if its last start was refused.
        is_denied: the end of what the program printed tells of a file that it may not read.
    """
    found = {field["name"]: field["value"].strip() for field in _FIELD.finditer(text)}
    pid, runs = found.get("pid", ""), found.get("runs", "")
    killed, code = found.get("last terminating signal") or found.get("last exit reason"), found.get("last exit code")
    last_exit = killed or (None if code == _NEVER else code)
    if last_exit == _NOT_SPAWNED:
        last_exit = f"{last_exit}: {CANNOT_BE_STARTED}"
    has_succeeded = last_exit is not None and last_exit.split(":")[0] == "0"
    state = found.get("state", "loaded")
    return Report(
        summary=f"{state} in {domain}",
        is_loaded=True,
        pid=int(pid) if pid.isdecimal() else None,
        starts=int(runs) if runs.isdecimal() else None,
        last_exit=f"refused to start: {refusal}" if has_succeeded and refusal else last_exit,
        will_start=not has_succeeded,
        is_denied=is_denied and not has_succeeded,
    )


def _wait(condition: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AgentError(f"{otherwise} within {_PATIENCE_S:.0f} s")
        time.sleep(_ASK_AGAIN_S)
