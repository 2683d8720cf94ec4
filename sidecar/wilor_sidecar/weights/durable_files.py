"""Small files that appear whole or not at all, and survive a power cut."""

import os
import secrets
from pathlib import Path

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
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Make renames in a folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
