"""Waiting until the daemon that a supervisor has started is ready."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wilor_client import HandClient
from wilor_client.errors import HandClientError
from wilor_protocol.address import requests_address
from wilor_protocol.replies import State, StatusReply
from wilor_sidecar.agent.report import Report

_ASK_AGAIN_S = 0.2
_REPLY_MS = 500
_REPLY_OF_ONE_THAT_RUNS_MS = 3000
_MOST_STARTS = 3
_GRACE_S = 2.0
"""A supervisor may take a moment to begin."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a start went.

    Attributes:
        is_ready: it serves.
        why: in a few words for people.
        report, status: what the supervisor and the daemon (None: nobody answered) said then. What keeps dying may run
            again when they are asked once more.
    """

    is_ready: bool
    why: str
    report: Report
    status: StatusReply | None


def ask(run_dir: Path, *, is_there: bool = False) -> StatusReply | None:
    """The status of the daemon in a run directory; None: nobody answers there.

    Args:
        run_dir: where it would answer.
        is_there: its process is known to run; it has longer then, as it may be busy.
    """
    timeout_ms = _REPLY_OF_ONE_THAT_RUNS_MS if is_there else _REPLY_MS
    try:
        with HandClient(requests_address(run_dir), timeout_ms=timeout_ms) as client:
            return client.status()
    except HandClientError:
        return None


def wait_until_ready(
    look: Callable[[], Report], run_dir: Path, timeout_s: float, tell: Callable[[State], None]
) -> Outcome:
    """Follow a start to its end.

    Args:
        look: asks the supervisor, which has been told to start it.
        run_dir: where the daemon will answer.
        timeout_s: how long to wait.
        tell: called with each new state.
    """
    began = time.monotonic()
    last: State | None = None
    while True:
        report, status, waited_s = look(), ask(run_dir), time.monotonic() - began
        outcome = _outcome(report, status, waited_s)
        if outcome:
            return outcome
        if waited_s >= timeout_s:
            says = report.says or "it is being started still"
            why = f"it is not ready after {timeout_s:g} s; {says}"
            return Outcome(is_ready=False, why=why, report=report, status=status)
        if status is not None and status.state != last:
            last = status.state
            tell(status.state)
        time.sleep(_ASK_AGAIN_S)


def _outcome(report: Report, status: StatusReply | None, waited_s: float) -> Outcome | None:
    """The end of the start; None: it is not over."""

    def ends(why: str, *, is_ready: bool = False) -> Outcome:
        return Outcome(is_ready, why, report, status)

    if status is not None and status.pid == report.pid:
        if status.state in ("ready", "degraded"):
            return ends(f"{status.state}: {status.reason}", is_ready=status.ready)
    elif status is not None and report.pid is not None:
        return ends(
            f"another daemon (pid {status.pid}) serves there already; the agent's takes over when that one ends"
        )
    ended = f"it ended ({report.last_exit})"
    if report.pid is None and not report.will_start and waited_s > _GRACE_S:
        return ends(ended if report.last_exit else report.summary)
    if report.pid is None and report.last_exit and report.starts is not None and report.starts >= _MOST_STARTS:
        return ends(f"{ended}, {report.starts} times so far; {report.summary}")
    return None
