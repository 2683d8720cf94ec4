"""Small files that appear whole or not at all, and survive a power cut."""

import fcntl
import os
import secrets
from pathlib import Path
from typing import IO

from wilor_sidecar.weights.errors import WeightsError


def replace_text(path: Path, text: str) -> None:
    """Write a file, or replace what is there, in one step; its folder is made if need be.

    Raises:
        WeightsError: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial-{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_synced(partial, text.encode())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be written ({error.strerror})") from error


def write_synced(path: Path, content: bytes) -> None:
    """Write a file so that it is on disk when this returns."""
    with path.open("wb") as file:
        file.write(content)
        sync_file(file)


def sync_folder(path: Path) -> None:
    """Make renames in a folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(file: IO[bytes]) -> None:
    """Put what was written to a file on disk."""
    file.flush()
    _sync(file.fileno())


_FULL_SYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)
"""macOS: its fsync leaves the bytes in the drive's own cache, see fsync(2) there."""


def _sync(descriptor: int) -> None:
    if _FULL_SYNC is not None:
        try:
            fcntl.fcntl(descriptor, _FULL_SYNC)
        except OSError:  # some file systems, network shares among them, know only fsync
            pass
        else:
            return
    os.fsync(descriptor)
