"""How each end of the daemon is followed under both supervisors: the table of launchd/README.md, on the real program.

Only its network is a fake one, that fails when it is told to.
"""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.faulty_daemon import Fault, crop_with
from tests.unit.sidecar.fakes import wait_for
from wilor_client import HandClient
from wilor_client.errors import HandClientError
from wilor_protocol.address import requests_address
from wilor_sidecar.agent.waiting import ask
from wilor_sidecar.cli.exits import Exit

from .linux_session import linux_session
from .mac_session import MacSession, mac_session
from .session import WAIT_S, Session

ROOT = Path(__file__).parents[3]
SESSIONS: dict[str, Callable[[], AbstractContextManager[Session]]] = {"launchd": mac_session, "systemd": linux_session}
PROGRAM = f"""#!/bin/sh
export PYTHONPATH='{ROOT}' FAULTY_DELAY_MS=0 FAULTY_LOAD= FAULTY_DEVICE=cpu
exec '{sys.executable}' -m tests.e2e.faulty_daemon "$@" --memory-limit 350
"""


@dataclass(frozen=True, slots=True)
class End:
    """An end of the daemon's process.

    Attributes:
        bring_about: does it.
        status: of the process, or minus the number of the signal.
        is_restarted: a new start follows.
    """

    bring_about: Callable[[Session], None]
    status: int
    is_restarted: bool


def by_signal(number: signal.Signals) -> Callable[[Session], None]:
    """Somebody sends it a signal."""
    return lambda session: session.kill(number)


def by_crops(fault: Fault, times: int = 1) -> Callable[[Session], None]:
    """A client sends what its network fails of."""

    def send(session: Session) -> None:
        with HandClient(requests_address(session.run_dir), timeout_ms=20_000) as client, suppress(HandClientError):
            for _ in range(times):
                client.estimate(crop_with(fault), "right")

    return send


ENDS = {
    "70: the engine failed": End(by_crops(Fault.GPU_FAULT), Exit.ENGINE_FAULT, is_restarted=True),
    "75: too much memory": End(by_crops(Fault.LEAK, times=20), Exit.TEMPORARY, is_restarted=True),
    "139: it crashed": End(by_signal(signal.SIGSEGV), -signal.SIGSEGV, is_restarted=True),
    "137: it was killed": End(by_signal(signal.SIGKILL), -signal.SIGKILL, is_restarted=True),
    "0: asked to stop": End(by_signal(signal.SIGTERM), 0, is_restarted=False),
}
"""One bad end more, all within a minute, and the daemon would load nothing any more: see test_launchd_restarts.py."""


@pytest.fixture(scope="module", params=list(SESSIONS))
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """With the agent installed, and its program replaced by one whose network fails when it is told to."""
    program = tmp_path_factory.mktemp("program") / "wilor-sidecar"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    with SESSIONS[request.param]() as made:
        assert made.agent("install").returncode == 0
        made.use_program(program)
        yield made


def is_ready(session: Session) -> bool:
    """The supervisor's process serves."""
    status = ask(session.run_dir)
    return status is not None and status.ready and status.pid == session.pid()


@pytest.mark.parametrize("name", ENDS)
def test_what_follows_an_end(session: Session, name: str) -> None:
    """A crash or a fault is followed by one start, a stop by none; the status tells which, and how often."""
    end = ENDS[name]
    if not is_ready(session):
        assert session.agent("start").returncode == 0
    starts = session.starts()
    end.bring_about(session)
    if end.is_restarted:
        wait_for(lambda: session.starts() == starts + 1 and is_ready(session), "another start, and ready", WAIT_S)
        assert session.last_end() == end.status
        status = session.agent("status")
        assert status.returncode == 0
        assert f"pid         {session.pid()}, start {starts + 1}\n" in status.stdout
    else:
        wait_for(session.has_settled, "no process and no start", WAIT_S)
        assert (session.starts(), session.last_end()) == (starts, end.status)
        status = session.agent("status")
        assert status.returncode == 1
        assert f"last exit   {end.status}\n" in status.stdout
        assert "daemon      nobody answers in " in status.stdout


def test_control_a_job_that_is_kept_alive_cannot_be_stopped(mac: MacSession) -> None:
    """Control: kept alive whatever happens, the same stop is followed by a start; so SuccessfulExit decides."""
    assert mac.agent("install").returncode == 0
    kept_alive = mac.plist.read_text().replace(
        "<dict>\n\t\t<key>SuccessfulExit</key>\n\t\t<false/>\n\t</dict>", "<true/>"
    )
    assert "SuccessfulExit" not in kept_alive
    mac.plist.write_text(kept_alive)
    assert mac.agent("restart").returncode == 0
    mac.kill(signal.SIGTERM)
    wait_for(lambda: mac.starts() == 2, "another start", WAIT_S)
