"""What a supervisor says of the daemon."""

from dataclasses import dataclass

CANNOT_BE_STARTED = (
    "the program cannot be started; if it has moved, `wilor-sidecar agent install` writes where it is now; if that "
    "cannot be started either, as when its Python has gone, install the package again"
)


@dataclass(frozen=True, slots=True)
class Report:
    """As far as it could be understood: what is not known is None.

    Attributes:
        summary: in the supervisor's words, for people.
        is_loaded: the supervisor knows the daemon.
        pid: of the process that runs.
        starts: how often it has been started since it was loaded.
        last_exit: how it ended the last time, for people; None: it has not, yet.
        will_start: without a process now, the supervisor will start one by itself.
        is_denied: the system keeps a file from the program, which ended for that.
        says: what the daemon has told the supervisor of itself, in its own words.
    """

    summary: str
    is_loaded: bool
    pid: int | None = None
    starts: int | None = None
    last_exit: str | None = None
    will_start: bool = False
    is_denied: bool = False
    says: str | None = None
