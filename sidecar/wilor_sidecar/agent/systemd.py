"""The agent under systemd's manager of the user's own services, driven with systemctl."""

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from signal import Signals

from wilor_sidecar.agent.command_line import failure, run_command
from wilor_sidecar.agent.definitions import UNIT, systemd_unit
from wilor_sidecar.agent.errors import AgentError
from wilor_sidecar.agent.report import CANNOT_BE_STARTED, Report
from wilor_sidecar.agent.written_file import WrittenFile

_PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "MainPID",
    "NRestarts",
    "Result",
    "ExecMainCode",
    "ExecMainStatus",
    "ExecMainStartTimestampMonotonic",
    "StatusText",
)
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
"""As systemctl prints the members of a list: between quotes where need be."""
_CONTROL_FOLDER = "user.control"
"""Beside the folder of the user's own units, and first in the manager's search path; see systemd.unit(5)."""
_EXITED, _NOT_YET = "1", "0"  # CLD_EXITED; no process has ended yet
_NOT_SPAWNED = "203"
"""systemd's own way to say that the program is not there; see systemd.exec(5)."""


class Systemd:
    """See `Supervisor`."""

    name = "systemd"

    def __init__(self, environment: Mapping[str, str], home: Path, user_id: int) -> None:
        # A shell that did not come by a login, as from sudo or cron, lacks the variable that leads to the manager.
        self._shell = {"XDG_RUNTIME_DIR": f"/run/user/{user_id}", **environment}
        self.environment, folders = self._manager()
        controls = [folder for folder in folders if folder.name == _CONTROL_FOLDER]
        own = controls[0].with_name("user") if controls else home / ".config" / "systemd" / "user"
        self.file = WrittenFile(own / UNIT)
        # Where systemd did not boot the machine, as in a container, systemctl makes links by itself, and must agree.
        self._shell["XDG_CONFIG_HOME"] = str(own.parent.parent)
        self._login_link = own / "default.target.wants" / UNIT

    def definitions(self, program: Path) -> list[str]:
        """One for every session."""
        return [systemd_unit(program=program)]

    def start(self) -> None:
        """Enable and start it."""
        if not self.file.path.is_file():
            raise AgentError(f"{self.file.path} is not there: `wilor-sidecar agent install` first")
        self._systemctl("daemon-reload")
        self._systemctl("enable", UNIT)
        self._systemctl("reset-failed", UNIT, may_fail=True)  # or its earlier starts count against this one
        self._systemctl("start", "--no-block", UNIT)

    def stop(self) -> None:
        """Stop it, if it is known."""
        if self.report().is_loaded:
            self._systemctl("stop", UNIT)

    def forget(self) -> str | None:
        """Stop it and remove its file, and the link of the login: that may be there without the file."""
        self.stop()
        self._systemctl("disable", UNIT, may_fail=True)  # without the file it says so, and may do nothing
        done = self.file.remove()
        with contextlib.suppress(OSError):  # its folder may be gone, or somebody else's
            self._login_link.unlink()
        self._systemctl("daemon-reload")
        self._systemctl("reset-failed", UNIT, may_fail=True)
        return done

    def report(self) -> Report:
        """From `systemctl show`."""
        return read_show(self._systemctl("show", UNIT, *(f"--property={name}" for name in _PROPERTIES)))

    def starts_at_login(self) -> bool:
        """From systemctl."""
        return self._systemctl("is-enabled", UNIT, may_fail=True).strip() == "enabled"

    def program(self) -> Path | None:
        """From systemctl, which knows about changes by `systemctl edit`, too."""
        return read_program(self._systemctl("show", UNIT, "--property=ExecStart"))

    def log_command(self, log_file: Path | None, lines: int, *, follow: bool) -> list[str]:
        """The journal, or the file."""
        following = ["-F" if log_file else "-f"] if follow else []
        if log_file is not None:
            if not (follow or log_file.exists()):
                raise AgentError(f"nothing has been logged yet in {log_file}: `wilor-sidecar agent start`")
            return ["tail", "-n", str(lines), *following, str(log_file)]
        return ["journalctl", "--user", f"--unit={UNIT}", "--no-pager", "-o", "cat", "-n", str(lines), *following]

    def leftovers(self) -> list[Path]:
        """None: the journal is not ours."""
        return []

    def _manager(self) -> tuple[Mapping[str, str], list[Path]]:
        """The manager's environment, and where it looks for units, which is settled when it starts.

        Where no manager answers it is as this shell would have it: to be shown, for nothing can be installed there.
        """
        try:
            found = read_properties(self._systemctl("show", "--property=Environment", "--property=UnitPath"))
        except AgentError:
            return self._shell, []
        environment = dict(word.split("=", 1) for word in _words(found.get("Environment", "")) if "=" in word)
        return environment, [Path(word) for word in _words(found.get("UnitPath", ""))]

    def _systemctl(self, *arguments: str, may_fail: bool = False) -> str:
        run = run_command(["systemctl", "--user", *arguments], self._shell)
        if run.returncode == 0 or may_fail:
            return run.stdout
        if "Failed to connect to bus" in run.stderr:
            raise AgentError(
                f"this user has no systemd manager here ({' '.join(run.stderr.split())}): log in as the user, or have "
                "root run `loginctl enable-linger USER`; where there is no systemd, run `wilor-sidecar serve` yourself"
            )
        raise failure(run)


def read_properties(text: str) -> dict[str, str]:
    """What `systemctl show` prints, by name."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def read_program(text: str) -> Path | None:
    """The program in what `systemctl show` says of ExecStart; None: there is none."""
    found = re.search(r"\{ path=(.*?) ; argv\[\]=", text)
    return Path(found[1]) if found else None


def _words(text: str) -> Iterator[str]:
    for quoted, plain in _WORD.findall(text):
        yield re.sub(r"\\(.)", r"\1", quoted) if quoted else plain


def read_show(text: str) -> Report:
    """What `systemctl show` says of the service."""
    found = read_properties(text)
    load = found.get("LoadState", "unknown")
    if load != "loaded" and found.get("ActiveState", "inactive") in ("inactive", "failed"):
        return Report(summary=load, is_loaded=False)
    active, result = found.get("ActiveState", "unknown"), found.get("Result", "success")
    pid, restarts = found.get("MainPID", ""), found.get("NRestarts", "")
    return Report(
        summary=f"{active} ({found.get('SubState', 'unknown')})"
        + ("" if load == "loaded" else f", its file: {load}")
        + ("" if result == "success" else f", {result}"),
        is_loaded=True,
        pid=int(pid) if pid.isdecimal() and pid != "0" else None,
        starts=int(restarts) + 1 if restarts.isdecimal() and active != "inactive" else None,
        last_exit=_last_exit(found),
        will_start=active == "activating",
        says=found.get("StatusText") or None,
    )


def _last_exit(found: Mapping[str, str]) -> str | None:
    code, status = found.get("ExecMainCode", _NOT_YET), found.get("ExecMainStatus", "")
    if code == _NOT_YET or not status.isdecimal():
        return None
    if code == _EXITED:
        return f"{status}: {CANNOT_BE_STARTED}" if status == _NOT_SPAWNED else status
    try:
        return Signals(int(status)).name
    except ValueError:
        return f"signal {status}"
