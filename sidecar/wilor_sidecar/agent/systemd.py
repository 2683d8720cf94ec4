"""The agent under systemd's manager of the user's own services, driven with systemctl."""

from collections.abc import Mapping
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
)
_EXITED, _NOT_YET = "1", "0"  # CLD_EXITED; no process has ended yet
_NOT_SPAWNED = "203"
"""systemd's own way to say that the program is not there; see systemd.exec(5)."""


class Systemd:
    """See `Supervisor`."""

    name = "systemd"

    def __init__(self, environment: Mapping[str, str], home: Path, user_id: int) -> None:
        config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
        self.file = WrittenFile(config / "systemd" / "user" / UNIT)
        # A shell that did not come by a login, as from sudo or cron, lacks the variable that leads to the manager.
        self._environment = {"XDG_RUNTIME_DIR": f"/run/user/{user_id}", **environment}

    def definition(self, program: Path) -> str:
        """The same for every session."""
        return systemd_unit(program=program)

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

    def forget(self) -> None:
        """Stop it and remove its file."""
        if self.report().is_loaded:
            self._systemctl("disable", "--now", UNIT)
        self.file.path.unlink(missing_ok=True)
        self._systemctl("daemon-reload")
        self._systemctl("reset-failed", UNIT, may_fail=True)

    def report(self) -> Report:
        """From `systemctl show`."""
        return read_show(self._systemctl("show", UNIT, *(f"--property={name}" for name in _PROPERTIES)))

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

    def _systemctl(self, *arguments: str, may_fail: bool = False) -> str:
        run = run_command(["systemctl", "--user", *arguments], self._environment)
        if run.returncode == 0 or may_fail:
            return run.stdout
        if "Failed to connect to bus" in run.stderr:
            raise AgentError(
                f"this user has no systemd manager here ({' '.join(run.stderr.split())}): log in as the user, or have "
                "root run `loginctl enable-linger USER`; where there is no systemd, run `wilor-sidecar serve` yourself"
            )
        raise failure(run)


def read_show(text: str) -> Report:
    """What `systemctl show` says of the service."""
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    if found.get("LoadState") != "loaded":
        return Report(summary=found.get("LoadState", "unknown"), is_loaded=False)
    active, result = found.get("ActiveState", "unknown"), found.get("Result", "success")
    pid, restarts = found.get("MainPID", ""), found.get("NRestarts", "")
    return Report(
        summary=f"{active} ({found.get('SubState', 'unknown')})" + ("" if result == "success" else f", {result}"),
        is_loaded=True,
        pid=int(pid) if pid.isdecimal() and pid != "0" else None,
        starts=int(restarts) + 1 if restarts.isdecimal() and active != "inactive" else None,
        last_exit=_last_exit(found),
        will_start=active == "activating",
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
