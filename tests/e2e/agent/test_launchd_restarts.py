"""How the real daemon and launchd's rules go together: who is restarted, who is not, and how often."""

import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.sidecar.fakes import wait_for

from .mac_session import MacSession, mac_session
from .session import WAIT_S


@pytest.fixture(scope="module")
def session() -> Iterator[MacSession]:
    """One session for all tests here: a start takes its time."""
    with mac_session() as shared:
        yield shared


@pytest.fixture
def installed(session: MacSession) -> MacSession:
    """The session, with the agent as new, and ready."""
    session.set()
    run = session.agent("install", "--force")
    assert run.returncode == 0, run.stderr
    return session


def test_wrong_settings_do_not_loop(installed: MacSession) -> None:
    """What starting again would not mend is not tried again: launchd sees a 0, a person sees why."""
    for settings in ({"model": "nowhere"}, {"modle": "embedded"}, {"run_dir": "/proc/nowhere"}):
        [(name, value)] = settings.items()
        runs = installed.starts()
        installed.set(**settings)
        installed.kill(signal.SIGKILL)
        installed.wait_for_job(runs=runs + 1, state="not running", last=0)
        status = installed.agent("status")
        assert status.returncode == 1
        [refusal] = [line for line in status.stdout.splitlines() if line.startswith("last exit")]
        assert "refused to start" in refusal
        assert (value if name != "modle" else name) in refusal
        installed.set()
        assert installed.agent("start").returncode == 0
        assert "refused" not in installed.agent("status").stdout


def test_a_wrong_command_line_does_not_loop(installed: MacSession) -> None:
    """A definition edited by hand that the program does not understand is told, once."""
    installed.agent("stop")
    edited = installed.plist.read_text().replace("<string>serve</string>", "<string>serve</string><string>-x</string>")
    installed.plist.write_text(edited)
    started = installed.agent("start")
    assert started.returncode == 1
    assert "refused to start" in started.stderr
    assert "-x" in started.stderr
    installed.wait_for_job(runs=1, state="not running", last=0)


def test_a_program_that_dies_at_once_is_throttled(installed: MacSession) -> None:
    """Launchd never gives up, but waits: start says what happens and shows the log."""
    installed.agent("stop")
    edited = installed.plist.read_text().replace("<string>serve</string>", "<string>-c</string><string>1/0</string>")
    edited = edited.replace("bin/wilor-sidecar<", "bin/python<").replace("<string>--supervisor=launchd</string>", "")
    installed.plist.write_text(edited)
    began = time.monotonic()
    started = installed.agent("start", "--timeout", str(WAIT_S))
    assert started.returncode == 1
    told = re.search(r"it ended \(1\), (\d+) times so far", started.stderr)
    assert told is not None, started.stderr
    assert int(told[1]) >= 3
    assert "ZeroDivisionError" in started.stderr
    assert time.monotonic() - began >= 2, "the stand-in must wait between starts as launchd does"
    assert installed.agent("stop").returncode == 0


def test_a_program_that_may_not_be_read_is_told(installed: MacSession, tmp_path: Path) -> None:
    """As Python ends where macOS keeps its environment from launchd: start, and status, say what to look for."""
    denied = tmp_path / "wilor-sidecar"
    denied.write_text(
        "#!/bin/sh\necho \"PermissionError: [Errno 1] Operation not permitted: '/x/.venv/pyvenv.cfg'\" >&2\nexit 1\n"
    )
    denied.chmod(0o755)
    installed.define_program(denied)
    started = installed.agent("restart")
    assert started.returncode == 1
    advised = "macOS keeps a file from it (Operation not permitted)"
    assert f"next: {advised}" in started.stderr
    # Told while the program does not run, which is nearly always: here it is started again ever so often.
    wait_for(lambda: f"next        {advised}" in installed.agent("status").stdout, "the advice", WAIT_S)
    assert installed.agent("stop").returncode == 0


def test_a_daemon_that_keeps_dying_stays_up_without_its_network(installed: MacSession) -> None:
    """After five failed starts the next one loads nothing, says why, and is no storm of starts any more."""
    assert installed.agent("restart").returncode == 0
    for run in range(1, 6):
        installed.wait_for_job(runs=run, state="running")
        installed.wait_until("loading", "warming", "ready")
        installed.kill(signal.SIGKILL)
    assert "5 starts failed within 10 minutes" in installed.wait_until("degraded").reason
    assert installed.starts() == 6
    status = installed.agent("status")
    assert status.returncode == 1
    assert "\ndegraded: 5 starts failed" in status.stdout
    restarted = installed.agent("restart")
    assert restarted.returncode == 0, "a person who asks for a restart gets one"
