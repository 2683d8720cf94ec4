"""What launchctl and systemctl print, read with care."""

from pathlib import Path

import pytest

from wilor_sidecar.agent.launchd import read_print
from wilor_sidecar.agent.report import CANNOT_BE_STARTED, Report
from wilor_sidecar.agent.systemd import read_program, read_show

# The layout of macOS 15's `launchctl print`, as people have published it, with our names.
RUNNING = """gui/501/org.wilor-sidecar.daemon = {
	active count = 1
	path = /Users/you/Library/LaunchAgents/org.wilor-sidecar.daemon.plist
	type = LaunchAgent
	state = running

	program = /Users/you/.local/bin/wilor-sidecar
	arguments = {
		/Users/you/.local/bin/wilor-sidecar
		serve
	}

	environment = {
		XPC_SERVICE_NAME => org.wilor-sidecar.daemon
	}

	domain = gui/501 [100002]
	minimum runtime = 10
	exit timeout = 10
	runs = 2
	pid = 16090
	immediate reason = semaphore
	last terminating signal = Terminated: 15

	resource coalition = {
		ID = 1114
		state = active
		pid = 7
	}

	spawn type = interactive (4)
	properties = runatload | inferred program
}
"""


def stopped(outcome: str) -> str:
    """The same, without a process, and with another outcome."""
    text = RUNNING.replace("state = running", "state = not running").replace("\tpid = 16090\n", "")
    return text.replace("last terminating signal = Terminated: 15", outcome)


def test_a_running_service() -> None:
    """The process, its starts, and how the one before it ended; the parts' own fields are not taken for these."""
    assert read_print(RUNNING, "gui/501", None) == Report(
        summary="running in gui/501", is_loaded=True, pid=16090, starts=2, last_exit="Terminated: 15", will_start=True
    )


@pytest.mark.parametrize(
    ("outcome", "last_exit", "will_start"),
    [
        ("last exit code = (never exited)", None, True),
        ("last exit code = 0", "0", False),
        ("last exit code = 70: EX_SOFTWARE", "70: EX_SOFTWARE", True),
        ("last exit code = 1", "1", True),
        ("last terminating signal = Killed: 9", "Killed: 9", True),
        ("last exit reason = JETSAM_REASON_MEMORY_HIGHWATER", "JETSAM_REASON_MEMORY_HIGHWATER", True),
    ],
)
def test_a_service_that_does_not_run(outcome: str, last_exit: str | None, will_start: bool) -> None:
    """Whether launchd will start it again follows from how it ended."""
    report = read_print(stopped(outcome), "gui/501", None)
    assert (report.pid, report.last_exit, report.will_start) == (None, last_exit, will_start)


def test_a_refusal_looks_like_a_success_to_launchd() -> None:
    """The note that the daemon left says more than the exit status, and only then."""
    refused = read_print(stopped("last exit code = 0"), "gui/501", "model: no such folder")
    assert refused.last_exit == "refused to start: model: no such folder"
    assert not refused.will_start
    killed = read_print(stopped("last terminating signal = Killed: 9"), "gui/501", "model: no such folder")
    assert killed.last_exit == "Killed: 9"


def test_a_denial_is_of_a_program_that_failed() -> None:
    """One that was stopped has said such a thing at another time."""
    assert read_print(stopped("last exit code = 1"), "gui/501", None, is_denied=True).is_denied
    assert not read_print(stopped("last exit code = 0"), "gui/501", None, is_denied=True).is_denied


@pytest.mark.parametrize("text", ["", "{", "\tstate\n\tpid = many\n\truns = -\n", "something else entirely"])
def test_a_text_that_cannot_be_understood(text: str) -> None:
    """Launchctl answered, so it is loaded; no more is claimed."""
    report = read_print(text, "gui/501", None)
    assert report.is_loaded
    assert (report.pid, report.starts) == (None, None)


RECORDED = {
    "its program is gone": (
        "state = spawn scheduled|runs = 54|last exit code = 78: EX_CONFIG|job state = spawn failed",
        Report(
            summary="spawn scheduled in gui/501",
            is_loaded=True,
            starts=54,
            last_exit=f"78: EX_CONFIG: {CANNOT_BE_STARTED}",
            will_start=True,
        ),
    ),
    "its signature is refused": (
        "state = not running|runs = 1|last exit reason = OS_REASON_CODESIGNING|job state = spawn failed",
        Report("not running in gui/501", is_loaded=True, starts=1, last_exit="OS_REASON_CODESIGNING", will_start=True),
    ),
    "it is being spawned": (
        "state = xpcproxy|runs = 778|immediate reason = semaphore|last terminating signal = Hangup: 1",
        Report("xpcproxy in gui/501", is_loaded=True, starts=778, last_exit="Hangup: 1", will_start=True),
    ),
    "it was never started": (
        "active count = 0|state = not running|runs = 0|last exit code = (never exited)",
        Report("not running in gui/501", is_loaded=True, starts=0, will_start=True),
    ),
    "it crashed before and runs": (
        "state = running|runs = 24991|pid = 77880|last exit reason = OS_REASON_CODESIGNING|properties = keepalive",
        Report(
            summary="running in gui/501",
            is_loaded=True,
            pid=77880,
            starts=24991,
            last_exit="OS_REASON_CODESIGNING",
            will_start=True,
        ),
    ),
}
"""The lines of launchctl's output that matter, as people have recorded them on several Macs, and what they mean."""


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_outputs(name: str) -> None:
    """Whatever launchd had to say about real services is understood, each field by itself."""
    lines, report = RECORDED[name]
    text = "gui/501/org.wilor-sidecar.daemon = {\n\t" + lines.replace("|", "\n\t") + "\n}\n"
    assert read_print(text, "gui/501", None) == report


def show(**changes: str) -> str:
    """`systemctl show` of a service that runs."""
    fields = {
        "Result": "success",
        "ExecMainCode": "0",
        "ExecMainStatus": "0",
        "NRestarts": "1",
        "MainPID": "4242",
        "LoadState": "loaded",
        "ActiveState": "active",
        "SubState": "running",
    }
    return "".join(f"{name}={value}\n" for name, value in {**fields, **changes}.items())


def test_a_running_unit() -> None:
    """The process, and how often it was started."""
    assert read_show(show()) == Report(summary="active (running)", is_loaded=True, pid=4242, starts=2)


@pytest.mark.parametrize(
    ("code", "status", "last_exit"),
    [
        ("1", "0", "0"),
        ("1", "78", "78"),
        ("1", "203", f"203: {CANNOT_BE_STARTED}"),
        ("2", "9", "SIGKILL"),
        ("3", "11", "SIGSEGV"),
        ("2", "99", "signal 99"),
    ],
)
def test_how_a_unit_ended(code: str, status: str, last_exit: str) -> None:
    """An exit status or a signal's name; a failure is named in the summary."""
    report = read_show(
        show(
            ActiveState="failed",
            SubState="failed",
            Result="exit-code",
            MainPID="0",
            ExecMainCode=code,
            ExecMainStatus=status,
        )
    )
    assert report.summary == "failed (failed), exit-code"
    assert (report.pid, report.last_exit, report.will_start) == (None, last_exit, False)


def test_a_unit_that_waits_for_its_restart() -> None:
    """Between two starts there is no process, and there will be one."""
    report = read_show(show(ActiveState="activating", SubState="auto-restart", MainPID="0"))
    assert (report.pid, report.will_start) == (None, True)


def test_a_unit_that_is_not_there() -> None:
    """It is not loaded, and says so in systemd's words."""
    gone = show(LoadState="not-found", ActiveState="inactive", MainPID="0")
    assert read_show(gone) == Report(summary="not-found", is_loaded=False)


def test_a_unit_whose_file_was_removed_by_hand() -> None:
    """Its process runs on, so there is something to stop."""
    report = read_show(show(LoadState="not-found"))
    assert (report.summary, report.is_loaded, report.pid) == ("active (running), its file: not-found", True, 4242)


@pytest.mark.parametrize("program", ["/home/you/.local/bin/wilor-sidecar", "/home/Zoë & Søn/a ; b %/wilor-sidecar"])
def test_the_program_of_a_unit(program: str) -> None:
    """Whatever its folder is called."""
    started = "start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0"
    text = (
        f"ExecStart={{ path={program} ; argv[]={program} serve --supervisor=systemd ; ignore_errors=no ; {started} }}"
    )
    assert read_program(text) == Path(program)
    assert read_program("ExecStart=\n") is None
