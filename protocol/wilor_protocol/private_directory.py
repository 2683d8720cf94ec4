"""A directory that only its owner may enter: what stands in it was put there by this user, or by root."""

import os
import stat
from pathlib import Path

_PRIVATE = 0o700


class NotPrivateError(Exception):
    """The directory cannot be used; the text names it and says why."""


def make_private(path: Path) -> None:
    """Make the directory if need be, and check that it is this user's alone.

    Raises:
        NotPrivateError: it cannot be made, is a link or no directory, belongs to somebody else, or is open to others.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=_PRIVATE, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise NotPrivateError(f"{path}: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode):
        raise NotPrivateError(f"{path}: is not a directory (a link is refused too)")
    if found.st_uid != os.getuid():
        raise NotPrivateError(f"{path}: belongs to user {found.st_uid}, not to {os.getuid()}")
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise NotPrivateError(f"{path}: is open to others (mode {mode:o}); chmod 700 it")
