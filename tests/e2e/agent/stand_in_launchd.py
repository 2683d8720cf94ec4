"""A stand-in for launchd and launchctl, for machines that have neither: `stand_in_launchd.py VERB ...`, as launchctl.

It follows what is documented, and what is known of the open-source launchd (842): a job is started at load by RunAtLoad
or any KeepAlive; the conditions of a KeepAlive dictionary are or-ed; `Crashed` means certain signals only; a job that
ran for less than ThrottleInterval (10 s) waits for the rest of it before it starts again, for ever; a bootout is
SIGTERM, and SIGKILL after ExitTimeOut, and answers before the job has gone. Exit statuses and texts are those that
people report of launchctl.

Each loaded job has a process of this program's, which is its launchd. Environment: STAND_IN_LAUNCHD, a folder for the
state; STAND_IN_SCALE, by which ThrottleInterval is multiplied; a file `screen` in the folder says that somebody is
logged in there. A file `refusing_gui` or `refusing_user` has the exit status with which this domain takes no service,
whether it is known or not.
"""

import json
import os
import plistlib
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

STATE = Path(os.environ["STAND_IN_LAUNCHD"])
SCALE = float(os.environ.get("STAND_IN_SCALE", "1"))
_CRASHES = {
    signal.SIGILL, signal.SIGABRT, signal.SIGFPE, signal.SIGBUS, signal.SIGSEGV, signal.SIGSYS, signal.SIGTRAP,
}  # fmt: skip
_EX_CONFIG = 78
_NOT_FOUND, _IN_PROGRESS, _NO_PROCESS, _IO_ERROR, _DISABLED, _NO_SESSION = 113, 36, 3, 5, 119, 125


def fail(status: int, text: str) -> NoReturn:
    """End as launchctl does."""
    sys.stderr.write(f"{text}\n")
    sys.exit(status)


class Job:
    """A loaded job, as its launchd sees it."""

    def __init__(self, target: str, plist: Path) -> None:
        self.keys: dict[str, Any] = plistlib.loads(plist.read_bytes())
        self.target = target
        self.plist = plist
        self.process: subprocess.Popen[bytes] | None = None
        self.runs = 0
        self.last: int | None = None
        self.started_at = 0.0
        self.leaving_since: float | None = None
        self.is_wanted = bool(self.keys.get("RunAtLoad") or self.keys.get("KeepAlive"))

    def supervise(self) -> None:
        """Until it is booted out."""
        signal.signal(signal.SIGTERM, self._on_bootout)
        while True:
            self._reap()
            if self.leaving_since is not None:
                if self.process is None:
                    break
                if time.monotonic() - self.leaving_since > self.keys.get("ExitTimeOut", 20):
                    self.process.kill()
            elif self.is_wanted and self.process is None and time.monotonic() >= self._earliest():
                self._spawn()
            self._save()
            time.sleep(0.01)
        state_file(self.target).unlink()

    def _on_bootout(self, _: int, __: FrameType | None) -> None:
        self.leaving_since = time.monotonic()
        if self.process is not None:
            self.process.terminate()

    def _earliest(self) -> float:
        throttle = self.keys.get("ThrottleInterval", 10) * SCALE
        return self.started_at + throttle if self.runs else 0.0

    def _spawn(self) -> None:
        self.runs += 1
        self.started_at = time.monotonic()
        output = os.open(self.keys["StandardErrorPath"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.process = self._popen(output)
        os.close(output)
        if self.process is None:
            self.last = _EX_CONFIG

    def _popen(self, output: int) -> "subprocess.Popen[bytes] | None":
        """None: the program is not there."""
        if not Path(self.keys["ProgramArguments"][0]).is_file():
            return None
        return subprocess.Popen(
            self.keys["ProgramArguments"],
            cwd=self.keys.get("WorkingDirectory", "/"),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=self._environment(),
            preexec_fn=self._limit,  # noqa: PLW1509 - there are no threads here
        )

    def _environment(self) -> dict[str, str]:
        """It is bare. The cache is this Linux's affair: without it every test would compile MLX's kernels."""
        bare = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "XPC_SERVICE_NAME": self.keys["Label"]}
        kept = {name: os.environ[name] for name in ("HOME", "USER", "XDG_CACHE_HOME") if name in os.environ}
        return {**bare, **kept, **self.keys.get("EnvironmentVariables", {})}

    def _limit(self) -> None:
        os.umask(self.keys.get("Umask", 0o022))
        files = self.keys.get("SoftResourceLimits", {}).get("NumberOfFiles", 256)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    def _reap(self) -> None:
        if self.process is None or self.process.poll() is None:
            return
        self.last, self.process = self.process.returncode, None
        self.is_wanted = restarts(self.keys.get("KeepAlive", False), self.last)

    def _save(self) -> None:
        facts = {
            "manager": os.getpid(),
            "pid": self.process.pid if self.process else None,
            "runs": self.runs,
            "last": self.last,
            "plist": str(self.plist),
            "state": "running" if self.process else "spawn scheduled" if self.is_wanted else "not running",
        }
        path = state_file(self.target)
        new = path.with_suffix(".new")
        new.write_text(json.dumps(facts))
        new.replace(path)


def restarts(keep_alive: bool | dict[str, bool], status: int) -> bool:
    """Whether a job that ended so is started again: any condition is enough."""
    if isinstance(keep_alive, bool):
        return keep_alive
    conditions = {"SuccessfulExit": status == 0, "Crashed": -status in _CRASHES}
    unknown = keep_alive.keys() - conditions.keys()
    assert not unknown, f"the stand-in does not know {unknown}"
    return any(conditions[name] == value for name, value in keep_alive.items())


def state_file(target: str) -> Path:
    """Where the state of a service is."""
    return STATE / (target.replace("/", "_") + ".json")


def bootstrap(domain: str, plist: str) -> None:
    """Load a job, and start it."""
    refuse_service(domain)
    require_session(domain)
    keys = plistlib.loads(Path(plist).read_bytes())
    target = f"{domain}/{keys['Label']}"
    if (STATE / f"disabled_{keys['Label']}").exists():
        fail(_DISABLED, "Bootstrap failed: 119: Service is disabled")
    if state_file(target).exists():
        fail(_IO_ERROR, "Bootstrap failed: 5: Input/output error")
    subprocess.Popen(
        [sys.executable, __file__, "(supervise)", target, plist],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(STATE / "launchd.log").open("ab"),
    )
    while not state_file(target).exists():
        time.sleep(0.01)


def bootout(target: str) -> None:
    """Unload a job. It answers before its process has gone."""
    facts = read_state(target, _NO_PROCESS, "Boot-out failed: 3: No such process")
    os.kill(facts["manager"], signal.SIGTERM)
    if facts["pid"] is not None:
        fail(_IN_PROGRESS, "Boot-out failed: 36: Operation now in progress")
    while state_file(target).exists():
        time.sleep(0.01)


def show_disabled(domain: str) -> None:
    """`launchctl print-disabled` of a domain."""
    require_session(domain)
    labels = [path.name.removeprefix("disabled_") for path in STATE.glob("disabled_*")]
    sys.stdout.write("disabled services = {\n" + "".join(f'\t"{label}" => disabled\n' for label in labels) + "}\n")


def show(target: str) -> None:
    """`launchctl print` of a domain or a service."""
    require_session("/".join(target.split("/")[:2]))
    if target.count("/") == 1:
        sys.stdout.write(f"{target} = {{\n\ttype = login\n}}\n")
        return
    facts = read_state(target, _NOT_FOUND, f'Could not find service "{target}" in domain')
    last = facts["last"]
    lines = ["active count = 1", f"path = {facts['plist']}", "type = LaunchAgent", f"state = {facts['state']}", ""]
    lines += ["minimum runtime = 10", "exit timeout = 10", f"runs = {facts['runs']}"]
    if facts["pid"]:
        lines.append(f"pid = {facts['pid']}")
    if last is None or last >= 0:
        words = {None: "(never exited)", _EX_CONFIG: "78: EX_CONFIG"}
        lines.append(f"last exit code = {words.get(last, last)}")
    else:
        lines.append(f"last terminating signal = {signal.strsignal(-last)}: {-last}")
    lines += ["", "resource coalition = {", "\tstate = active", "}"]
    sys.stdout.write(f"{target} = {{\n" + "".join(f"\t{line}\n" for line in lines) + "}\n")


def refuse_service(domain: str) -> None:
    """Where the domain takes none."""
    file = STATE / f"refusing_{domain.split('/', maxsplit=1)[0]}"
    if file.exists():
        status = int(file.read_text())
        texts = {_IO_ERROR: "Input/output error", _NO_SESSION: "Domain does not support specified action"}
        fail(status, f"Bootstrap failed: {status}: {texts[status]}")


def require_session(domain: str) -> None:
    """Without a login at the screen there is no gui domain."""
    if domain.startswith("gui/") and not (STATE / "screen").exists():
        fail(_NO_SESSION, f"Domain does not support specified action: {domain}")


def read_state(target: str, status: int, otherwise: str) -> dict[str, Any]:
    """The state of a service; end with this status when there is none."""
    try:
        found: dict[str, Any] = json.loads(state_file(target).read_text())
    except FileNotFoundError:
        fail(status, otherwise)
    return found


def main() -> None:
    """Launchctl's verbs, and one of our own."""
    match sys.argv[1:]:
        case ["bootstrap", domain, plist]:
            bootstrap(domain, plist)
        case ["bootout", target]:
            bootout(target)
        case ["print", target]:
            show(target)
        case ["print-disabled", domain]:
            show_disabled(domain)
        case ["enable", target]:
            (STATE / f"disabled_{target.split('/')[-1]}").unlink(missing_ok=True)
        case ["disable", target]:
            (STATE / f"disabled_{target.split('/')[-1]}").touch()
        case ["(supervise)", target, plist]:
            Job(target, Path(plist)).supervise()
        case _:
            fail(64, f"Unrecognized subcommand: {sys.argv[1:]}")


if __name__ == "__main__":
    main()
