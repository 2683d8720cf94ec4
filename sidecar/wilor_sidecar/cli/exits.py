"""What a command's exit status means, to people and to supervisors. The README's table is compared with this one."""

import errno
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
    """Try again: another daemon holds the run directory, or somebody took it away, this one has grown beyond its memory
    limit, or something that passes stands in the way (`PASSING`).
    """
    CONFIG = 78
    """A setting cannot be used: starting again would not help."""


PERMANENT = frozenset({Exit.USAGE, Exit.CONFIG})
"""After these `serve` would end in the same way again: no supervisor should restart it."""

PASSING = frozenset(
    {
        errno.EADDRNOTAVAIL,  # the network is not up yet
        errno.EADDRINUSE,
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EMFILE,
        errno.ENFILE,
        errno.EIO,
    }
)
"""What the system refuses with while something is in the way that goes by itself, or by somebody else's doing."""

RESTART = frozenset({Exit.ENGINE_FAULT, Exit.TEMPORARY})
"""After these, and after a crash, a supervisor should restart `serve`."""
