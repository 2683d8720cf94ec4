"""What the agent's daemon has left on the disk, and how it is taken away: nothing that anybody else may be using.

A daemon started by hand, the benchmarks and `doctor` share the run directory and the cache with it. So of the run
directory only what daemons keep there goes, and only while no daemon holds it; and of the cache only the kernels that
are the agent's own.
"""

import contextlib
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from wilor_protocol.address import APPLICATION
from wilor_sidecar import starts
from wilor_sidecar.run_directory import RunDirectory, RunDirectoryError


def remove_leftovers(*, files: Iterable[Path], kernels: Path, run_dir: Path) -> Iterator[str]:
    """Take away what a stopped agent's daemon has left.

    Args:
        files: that are the agent's alone; a folder with our name that becomes empty goes with them.
        kernels: the folder of those that MLX has compiled for it.
        run_dir: where it answered.

    Yields:
        What was done, for people: each place removed, or left and why.
    """
    for file in files:
        file.unlink(missing_ok=True)
        yield f"removed {file}"
        _remove_if_empty(file.parent)
    if kernels.is_dir():
        shutil.rmtree(kernels, ignore_errors=True)
        yield f"removed {kernels}"
    if run_dir.is_dir():
        yield _discard(run_dir)
    for folder in (kernels.parent, run_dir.parent):
        _remove_if_empty(folder)


def _discard(run_dir: Path) -> str:
    try:
        is_gone = RunDirectory.take(run_dir).discard(starts.FILE)
    except RunDirectoryError as error:
        return f"left {error}"
    return f"removed {run_dir}" if is_gone else f"left {run_dir}: it holds files that are not the daemon's"


def _remove_if_empty(folder: Path) -> None:
    if folder.name == APPLICATION:
        with contextlib.suppress(OSError):
            folder.rmdir()
