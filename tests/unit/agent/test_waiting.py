"""How a start ends, in the eyes of who waits for it."""

from pathlib import Path

import pytest

from wilor_sidecar.agent.report import Report
from wilor_sidecar.agent.waiting import wait_until_ready

ENDED = Report(summary="spawn scheduled", is_loaded=True, starts=3, last_exit="1", will_start=True, is_denied=True)
RUNNING = Report(summary="running", is_loaded=True, pid=1, starts=4, last_exit="1", will_start=True, is_denied=True)


def test_the_end_comes_with_what_was_seen_then(short_dir: Path) -> None:
    """A program that dies and is started again runs once more when it is looked at later: advice goes by the end."""
    seen = iter([RUNNING, ENDED, RUNNING])
    outcome = wait_until_ready(lambda: next(seen), short_dir, 60, lambda state: None)
    assert not outcome.is_ready
    assert outcome.why == "it ended (1), 3 times so far; spawn scheduled"
    assert (outcome.report, outcome.status) == (ENDED, None)


@pytest.mark.parametrize("timeout_s", [0, 0.1])
def test_patience_ends(timeout_s: float, short_dir: Path) -> None:
    """With what the daemon told the supervisor last; even without patience it is looked at once."""
    says = Report(summary="running", is_loaded=True, pid=1, says="loading: reading and checking the weights")
    outcome = wait_until_ready(lambda: says, short_dir, timeout_s, lambda state: None)
    assert not outcome.is_ready
    assert outcome.why == f"it is not ready after {timeout_s:g} s; loading: reading and checking the weights"
    assert outcome.report is says
