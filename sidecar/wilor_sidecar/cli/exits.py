"""What a command's exit status means, to people and to supervisors."""

from enum import IntEnum


class Exit(IntEnum):
    """Numbers from sysexits.h where one fits."""

    OK = 0
    """Done, or asked to stop."""
    FAILED = 1
    """The thing asked for did not work; the message says why."""
    USAGE = 64
    """The command line cannot be understood."""
    TEMPORARY = 75
    """Try again later: another daemon holds the run directory."""
    CONFIG = 78
    """A setting cannot be used: starting again would not help."""
