"""What `serve` does differently when a supervisor started it.

It goes by the settings file alone, and it waits where a person would be told at once: a supervisor could only try
again, and systemd gives up after some tries.

launchd knows but one distinction: 0, or something else and a restart. So under launchd a start that would fail again
and again ends with 0, and leaves a note that says why.
"""

import argparse
import logging
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from wilor_sidecar.agent.launchd_files import LaunchdFiles
from wilor_sidecar.cli.exits import PERMANENT, Exit
from wilor_sidecar.config import without_settings
from wilor_sidecar.run_directory import AlreadyRunningError, RunDirectory
from wilor_sidecar.sd_notify import Notifier

log = logging.getLogger(__name__)

SupervisorName = Literal["launchd", "systemd"]

TRY_AGAIN_S = 10.0
"""launchd starts nothing twice within less; and systemd's limit of starts must not be reached in this way."""
_TELL_EVERY_S = 10.0
_LEASE_S = 600.0
"""How long a start may take from each time on that systemd is told that it waits: the loading is still to come."""


def add_supervisor_flag(parser: argparse.ArgumentParser) -> None:
    """`--supervisor`, for those who write a definition by hand; no setting, for a person has no use for it."""
    text = "who starts it and, if need be, starts it again: launchd or systemd (default: nobody; see launchd/README.md)"
    parser.add_argument("--supervisor", choices=get_args(SupervisorName), help=text)


def environment_under(supervisor: SupervisorName | None) -> Mapping[str, str]:
    """The environment that settings are read from."""
    return os.environ if supervisor is None else without_settings(os.environ)


def take_run_directory(path: Path, supervisor: SupervisorName | None) -> RunDirectory:
    """Take it; under a supervisor wait until another daemon there ends.

    Raises:
        RunDirectoryError: it cannot be used.
        AlreadyRunningError: another daemon holds it, and a person is there to be told.
    """
    if supervisor is None:
        return RunDirectory.take(path)
    notifier, patience_s = Notifier.of_this_process(), 0.0
    try:
        while True:
            try:
                return RunDirectory.take(path, patience_s=patience_s)
            except AlreadyRunningError as error:
                if not patience_s:
                    log.warning("%s; waiting until it ends", error)
                notifier.wait(f"{error}; waiting until it ends", lease_s=_LEASE_S)
                patience_s = _TELL_EVERY_S
    finally:
        notifier.close()


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
    supervisor = _named(arguments)
    if supervisor is not None and status is Exit.TEMPORARY:
        notifier = Notifier.of_this_process()
        notifier.wait(f"{why}; another try in {TRY_AGAIN_S:.0f} s", lease_s=_LEASE_S)
        notifier.close()
        time.sleep(TRY_AGAIN_S)
    if supervisor == "launchd" and status in PERMANENT:
        LaunchdFiles(Path.home()).note_refusal(why)
        return Exit.OK
    return status


def _named(arguments: Sequence[str]) -> str | None:
    """The supervisor on a command line, however it is written and whatever else is wrong there."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--supervisor", nargs="?")
    named: str | None = parser.parse_known_args(list(arguments))[0].supervisor
    return named
