"""What `serve` does differently when a supervisor started it.

launchd knows but one distinction: 0, or something else and a restart. So under launchd a start that would fail again
and again ends with 0, and leaves a note that says why.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from wilor_sidecar.agent.launchd_files import LaunchdFiles
from wilor_sidecar.cli.exits import PERMANENT, Exit

SupervisorName = Literal["launchd", "systemd"]

_PATIENCE_S = 20.0
"""Longer than the 10 s below which launchd takes a life for a failed one."""


def add_supervisor_flag(parser: argparse.ArgumentParser) -> None:
    """`--supervisor`, for those who write a definition by hand; no setting, for a person has no use for it."""
    text = "who starts it and, if need be, starts it again: launchd or systemd (default: nobody; see launchd/README.md)"
    parser.add_argument("--supervisor", choices=("launchd", "systemd"), help=text)


def patience_s(supervisor: SupervisorName | None) -> float:
    """How long to wait for another daemon to end: a person is told at once, and a supervisor would only try again."""
    return 0 if supervisor is None else _PATIENCE_S


def log_file_under(supervisor: SupervisorName | None) -> Path | None:
    """Where to log when no setting says: launchd's files grow for ever."""
    return LaunchdFiles(Path.home()).log if supervisor == "launchd" else None


def has_started_under(supervisor: SupervisorName | None) -> None:
    """No setting stands in the way."""
    if supervisor == "launchd":
        LaunchdFiles(Path.home()).begin()


def refused(status: Exit, why: str, arguments: Sequence[str]) -> Exit:
    """The exit status of a command that failed.

    Args:
        status: what it would be at a terminal.
        why: for people.
        arguments: of the command line. They may be wrong, and the flag still be there.
    """
    if status not in PERMANENT or "--supervisor=launchd" not in arguments:
        return status
    LaunchdFiles(Path.home()).note_refusal(why)
    return Exit.OK
