"""What both supervisors can do for the agent; the commands know no more of them."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from wilor_sidecar.agent.errors import AgentError
from wilor_sidecar.agent.launchd import Launchd
from wilor_sidecar.agent.report import Report
from wilor_sidecar.agent.systemd import Systemd
from wilor_sidecar.agent.written_file import WrittenFile


class Supervisor(Protocol):
    """launchd or systemd. Every method but `definitions` may raise `AgentError`.

    Attributes:
        name: for people.
        file: the definition of the daemon, which `install` writes.
        environment: that it gives to what it starts, as far as that can be told.
    """

    name: str
    file: WrittenFile
    environment: Mapping[str, str]

    def definitions(self, program: Path) -> list[str]:
        """Texts for `file`, the best first; the next is for where `start` raises `RefusedError` with that."""

    def start(self) -> None:
        """Start the daemon as `file` says now, unless it runs; and at each login from here on."""

    def stop(self) -> None:
        """Stop it, and wait until it has ended; it will be started at the next login."""

    def forget(self) -> str | None:
        """Stop it and remove `file`: it will not be started any more.

        Returns:
            What became of the file: see `WrittenFile.remove`.
        """

    def report(self) -> Report:
        """How the supervisor sees it."""

    def starts_at_login(self) -> bool:
        """Whether the next login starts the daemon: `file` is there, and not switched off."""

    def program(self) -> Path | None:
        """What `file` has it start; None: that cannot be told."""

    def log_command(self, log_file: Path | None, lines: int, *, follow: bool) -> list[str]:
        """The command that prints the log's end.

        Args:
            log_file: as the settings have it; None: where the daemon logs by itself under this supervisor.
            lines: how many.
            follow: and goes on with what comes.

        Raises:
            AgentError: there is no log yet, and it is not to be waited for.
        """

    def leftovers(self) -> list[Path]:
        """Files that were made by the supervisor, or for it, and are of no use once the daemon is forgotten."""


def supervisor_of_this_system(environment: Mapping[str, str], home: Path, user_id: int) -> Supervisor:
    """The one of this platform."""
    if sys.platform == "darwin":
        return Launchd(environment, home, user_id)
    if sys.platform == "linux":
        return Systemd(environment, home, user_id)
    raise AgentError(
        f"there is no login agent for {sys.platform}: run `wilor-sidecar serve` under a supervisor of yours"
    )
