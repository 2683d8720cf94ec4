"""How the real daemon and launchd's rules go together: who is restarted, who is not, and how often."""

import os
import signal
import time

import pytest

from .conftest import WAIT_S, MacSession


@pytest.fixture
def installed(mac: MacSession) -> MacSession:
    """A session with the agent installed and ready."""
    run = mac.agent("install")
    assert run.returncode == 0, run.stderr
    return mac


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_crash_is_followed_by_a_start(installed: MacSession, number: signal.Signals) -> None:
    """Killed or crashed, it is there again, and `status` counts it."""
    os.kill(installed.pid(), number)
    installed.wait_for_job(runs=2, state="running")
    assert installed.wait_until_ready() == installed.pid()
    status = installed.agent("status")
    assert status.returncode == 0
    assert f"pid         {installed.pid()}, start 2\n" in status.stdout
    assert f": {int(number)}\n" in status.stdout


def test_a_stop_is_not(installed: MacSession) -> None:
    """Told to stop it ends with 0, and launchd leaves it at that."""
    os.kill(installed.pid(), signal.SIGTERM)
    installed.wait_for_job(runs=1, state="not running", last=0)
    status = installed.agent("status")
    assert status.returncode == 1
    assert "launchd     not running in gui/" in status.stdout
    assert "last exit   0\n" in status.stdout
    assert installed.agent("start").returncode == 0
    installed.wait_for_job(runs=2, state="running")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"model": "nowhere"}, "nowhere"),
        ({"modle": "embedded"}, "modle"),
        ({"run_dir": "/proc/nowhere"}, "/proc/nowhere"),
    ],
)
def test_wrong_settings_do_not_loop(installed: MacSession, settings: dict[str, str], named: str) -> None:
    """What starting again would not mend is not tried again: launchd sees a 0, a person sees why."""
    installed.set(**settings)
    os.kill(installed.pid(), signal.SIGKILL)
    installed.wait_for_job(runs=2, state="not running", last=0)
    status = installed.agent("status")
    assert status.returncode == 1
    refusal = next(line for line in status.stdout.splitlines() if line.startswith("last exit"))
    assert "refused to start" in refusal
    assert named in refusal
    installed.set()
    assert installed.agent("start").returncode == 0
    assert "refused" not in installed.agent("status").stdout


def test_a_wrong_command_line_does_not_loop(installed: MacSession) -> None:
    """A definition edited by hand that the program does not understand is told, once."""
    installed.agent("stop")
    edited = installed.plist.read_text().replace(
        "<string>serve</string>", "<string>serve</string><string>--fast</string>"
    )
    installed.plist.write_text(edited)
    started = installed.agent("start")
    assert started.returncode == 1
    assert "--fast" in started.stderr
    installed.wait_for_job(runs=1, state="not running", last=0)


def test_a_program_that_dies_at_once_is_throttled(installed: MacSession) -> None:
    """Launchd never gives up, but waits: install says what happens and shows the log."""
    installed.agent("stop")
    edited = installed.plist.read_text().replace("<string>serve</string>", "<string>-c</string><string>1/0</string>", 1)
    edited = edited.replace(".venv/bin/wilor-sidecar", ".venv/bin/python")
    edited = edited.replace("<string>--supervisor=launchd</string>", "")
    installed.plist.write_text(edited)
    began = time.monotonic()
    started = installed.agent("start", "--timeout", str(WAIT_S))
    assert started.returncode == 1
    assert "it ended (1), 3 times so far" in started.stderr
    assert "ZeroDivisionError" in started.stderr
    assert time.monotonic() - began >= 2, "the stand-in must wait between starts as launchd does"
    assert installed.agent("stop").returncode == 0
