"""How a command says that it cannot go on."""

from wilor_sidecar.cli.exits import PASSING, Exit
from wilor_sidecar.config import NotThereYetError


class CommandError(Exception):
    """One line for the person, and the exit status."""

    def __init__(self, message: str, status: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.status = status


def status_of_refusal(error: BaseException) -> Exit:
    """The exit status for what keeps the daemon from starting, by what the system said at the bottom of it.

    Args:
        error: raised `from` the system's error, if there was one.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, NotThereYetError) or getattr(cause, "errno", None) in PASSING:
            return Exit.TEMPORARY
        cause = cause.__cause__
    return Exit.CONFIG
