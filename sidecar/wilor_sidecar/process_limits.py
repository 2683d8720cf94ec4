"""What the process may open. libzmq aborts the whole process when a connection comes and no descriptor is left."""

import logging
import resource

log = logging.getLogger(__name__)

ENOUGH_FILES = 8192
"""Below what a Mac's kernel allows a process (kern.maxfilesperproc), which the hard limit there does not say."""


def raise_file_limit() -> int:
    """Raise the soft limit of open files as far as it is allowed and of use; returns what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, ENOUGH_FILES)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError) as error:
        log.warning("the limit of open files stays at %d: %s", soft, error)
        return soft
    return wanted
