"""How a converted folder takes its place: whole or not at all, and never that of something which is not ours.

Work in progress stands beside it under a hidden name with its process's number, so that what a killed process left can
be told from what another is at work on.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from wilor_sidecar.weights.durable_files import sync_folder
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.model_config import CONFIG_FILE, WEIGHTS_FILE, read_config
from wilor_sidecar.weights.provenance import PROBE_FILE, PROVENANCE_FILE, read_provenance

_OURS = frozenset({CONFIG_FILE, WEIGHTS_FILE, PROVENANCE_FILE, PROBE_FILE})
_FINDERS = frozenset({".DS_Store"})


def partial_of(out: Path, process_id: int) -> Path:
    """Where a process writes before `out` is whole."""
    return _beside(out, "partial", process_id)


def is_ours(path: Path) -> bool:
    """Whether replacing it loses nothing but a conversion: our files, or what is left of them, and nothing else."""
    if not path.is_dir() or {entry.name for entry in path.iterdir()} - _FINDERS - _OURS:
        return False
    try:
        read_config(path)
    except WeightsError:
        return _has_provenance(path)
    return True


def refuse_occupied(out: Path, *, overwrite: bool) -> None:
    """Raise a WeightsError where `out` cannot be made, or something stands there that may not be replaced."""
    if not out.parent.is_dir():
        raise WeightsError(f"{out}: its parent is not a folder")
    if not os.path.lexists(out):
        return
    if out.is_symlink() or not is_ours(out):
        raise WeightsError(f"{out}: exists and is not a converted folder; it is left alone")
    if not overwrite:
        raise WeightsError(f"{out}: exists already; --overwrite replaces it")


def put_in_place(made: Path, out: Path, *, overwrite: bool) -> None:
    """Rename a finished folder, replacing what stands there only when the new one has its place.

    Args:
        made: all of it on disk, on the same file system.
        out: its place.
        overwrite: a converted folder may be replaced. Anything else never is.

    Raises:
        WeightsError: `out` is occupied.
        OSError: it cannot be renamed; what stood there stands there again.
    """
    refuse_occupied(out, overwrite=overwrite)  # again: minutes may have passed since somebody looked
    if not out.exists():
        made.rename(out)
    else:
        # A folder cannot be renamed onto one that is not empty, so the old one steps aside and back if need be.
        old = _beside(out, "old", os.getpid())
        out.rename(old)
        try:
            made.rename(out)
        except OSError:
            old.rename(out)
            raise
        shutil.rmtree(old, ignore_errors=True)  # what is left of it goes with the next `clear_abandoned`
    sync_folder(out.parent)


def clear_abandoned(out: Path) -> None:
    """Delete what killed processes left beside `out`, and put back what one had moved aside and not replaced."""
    for old in _abandoned(out, "old"):
        if not os.path.lexists(out):
            old.rename(out)
        shutil.rmtree(old, ignore_errors=True)
    for partial in _abandoned(out, "partial"):
        shutil.rmtree(partial, ignore_errors=True)


def _beside(out: Path, what: str, process_id: int) -> Path:
    return out.with_name(f".{out.name}.{what}-{process_id}")


def _abandoned(out: Path, what: str) -> Iterator[Path]:
    prefix = _beside(out, what, 0).name.removesuffix("0")
    for path in list(out.parent.iterdir()):
        number = path.name.removeprefix(prefix)
        if path.name.startswith(prefix) and number.isdecimal() and not _is_alive(int(number)):
            yield path


def _is_alive(process_id: int) -> bool:
    """Whether there is another process of that number; one of our own number was an earlier one."""
    if process_id == os.getpid():
        return False
    try:
        os.kill(process_id, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _has_provenance(path: Path) -> bool:
    try:
        return read_provenance(path) is not None
    except WeightsError:
        return False
