"""What a person is told to do next."""

from pathlib import Path

import msgspec
import pytest
from tests.contract import golden_messages

from wilor_protocol.replies import StatusReply
from wilor_sidecar.agent.advice import advice
from wilor_sidecar.agent.report import Report

SETTINGS = Path("/home/you/.config/wilor-sidecar/config.toml")
GONE = Report("not loaded", is_loaded=False)
RUNNING = Report("running", is_loaded=True, pid=7, starts=1)
WAITING = Report("spawn scheduled", is_loaded=True, starts=2, last_exit="70", will_start=True)
DENIED = Report("spawn scheduled", is_loaded=True, starts=9, last_exit="1", will_start=True, is_denied=True)
ENDED = Report("not running", is_loaded=True, starts=1, last_exit="0")


def status(**changes: object) -> StatusReply:
    """A reply of process 7, with changes."""
    return msgspec.convert({**golden_messages.replies()["status_reply"], "pid": 7, **changes}, StatusReply)


def told(
    report: Report,
    answer: StatusReply | None,
    *,
    is_installed: bool = True,
    is_outdated: bool = False,
    settings_problem: str | None = None,
) -> str:
    """The advice."""
    return advice(
        report,
        answer,
        is_installed=is_installed,
        is_outdated=is_outdated,
        settings_problem=settings_problem,
        settings_file=SETTINGS,
    )


def test_nothing_is_to_be_done_when_it_is_ready() -> None:
    """Whoever is well served is not bothered."""
    assert told(RUNNING, status(state="ready", ready=True)) == ""


def test_after_an_upgrade() -> None:
    """What runs still is what was installed before."""
    assert "agent restart" in told(RUNNING, status(state="ready", ready=True), is_outdated=True)


@pytest.mark.parametrize("state", ["starting", "loading", "warming"])
def test_a_start_takes_a_moment(state: str) -> None:
    """No command would make it quicker."""
    assert "in a moment" in told(RUNNING, status(state=state, ready=False))


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (GONE, "`wilor-sidecar agent start`"),
        (RUNNING, "`wilor-sidecar agent logs`"),
        (WAITING, "will be started again"),
        (DENIED, "Documents, Desktop, Downloads"),
        (DENIED, "`wilor-sidecar agent stop` ends its starts"),
        (ENDED, "`wilor-sidecar agent start`; `wilor-sidecar agent logs` tells why"),
    ],
)
def test_when_nobody_answers(report: Report, words: str) -> None:
    """What helps follows from what the supervisor is about to do."""
    assert words in told(report, None)


def test_when_it_is_degraded() -> None:
    """The cause is looked for before it is started anew."""
    degraded = told(RUNNING, status(state="degraded", ready=False))
    assert degraded.index("doctor") < degraded.index("agent restart")


@pytest.mark.parametrize(
    ("report", "words"), [(RUNNING, "takes over by itself"), (WAITING, "takes over by itself"), (GONE, "agent start")]
)
def test_when_another_daemon_answers(report: Report, words: str) -> None:
    """It is named, and what follows when it ends."""
    other = told(report, status(state="ready", ready=True, pid=8))
    assert "kill 8" in other
    assert words in other


def test_a_wrong_setting_comes_first() -> None:
    """Nothing else helps while it stands, even if an older daemon still serves; the file is named."""
    wrong = told(RUNNING, status(state="ready", ready=True), settings_problem="model: no such folder")
    assert str(SETTINGS) in wrong
    assert "agent restart" in wrong


def test_without_an_agent() -> None:
    """The first thing to do is to install it."""
    assert "agent install" in told(GONE, None, is_installed=False)
