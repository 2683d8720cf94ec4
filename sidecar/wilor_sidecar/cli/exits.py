"""What a command's exit status means, to people and to supervisors. The README's table is compared with this one."""

from enum import IntEnum


class Exit(IntEnum):
    """Numbers from sysexits.h where one fits."""

    OK = 0
    """Done, or asked to stop."""
    FAILED = 1
    """The thing asked for did not work; the message says why."""
    USAGE = 64
    """The command line cannot be understood."""
    ENGINE_FAULT = 70
    """The engine died, hung or failed twice in a row: a new process may have better luck."""
    TEMPORARY = 75
    """Try again: another daemon holds the run directory, or somebody took it away, or this one has grown beyond its
    memory limit.
    """
    CONFIG = 78
    """A setting cannot be used: starting again would not help."""


PERMANENT = frozenset({Exit.USAGE, Exit.CONFIG})
"""After these `serve` would end in the same way again: no supervisor should restart it."""

RESTART = frozenset({Exit.ENGINE_FAULT, Exit.TEMPORARY})
"""After these, and after a crash, a supervisor should restart `serve`."""
