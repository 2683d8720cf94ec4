"""What a test can do in somebody's session, whichever supervisor is in it."""

import shutil
import signal
import subprocess
from pathlib import Path
from typing import Protocol

from wilor_sidecar.mlx_settings import kernels_directory

WAIT_S = 60


def fill_cache(folder: Path) -> None:
    """Lay the kernels that MLX has compiled in other tests where the agent's daemon looks for them: that saves 4 s."""
    compiled = kernels_directory()
    if compiled.is_dir():
        # A daemon of a benchmark that was killed may have left its run directory there, with sockets.
        ignored = shutil.ignore_patterns("wilor-*")
        shutil.copytree(compiled, kernels_directory(folder / "wilor-sidecar", of_agent=True), ignore=ignored)


class Session(Protocol):
    """With launchd, or with systemd.

    Attributes:
        run_dir: where the daemon answers.
    """

    run_dir: Path

    def agent(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run `wilor-sidecar agent ...`."""

    def use_program(self, program: Path) -> None:
        """Have the definition start another program, and start it."""

    def pid(self) -> int | None:
        """Of the daemon's process; None: there is none."""

    def kill(self, number: signal.Signals) -> None:
        """Send the daemon's process a signal."""

    def starts(self) -> int:
        """How often the supervisor has started the daemon."""

    def last_end(self) -> int:
        """The exit status of the process that ended last, or minus the number of the signal."""

    def has_settled(self) -> bool:
        """There is no process, and the supervisor will start none."""
