"""Where the daemon's own files are under launchd, and what it leaves there for `agent status`."""

import contextlib
import os
import stat
from pathlib import Path

from wilor_protocol.address import APPLICATION

_MOST_OUTPUT_BYTES = 1_000_000
_END_BYTES = 2000
_DENIED = b"Operation not permitted"
"""EPERM in words: Python and the shell leave no other trace when they cannot even read themselves."""


class LaunchdFiles:
    """In the user's folder of logs.

    Attributes:
        folder: that is ours alone.
        log: where the daemon logs when no setting says: launchd rotates nothing, so the daemon must.
        output: what launchd makes of stdout and stderr: what is said before the log is open.
    """

    def __init__(self, home: Path) -> None:
        self.folder = home / "Library" / "Logs" / APPLICATION
        self.log = self.folder / "daemon.log"
        self.output = self.folder / "launchd.log"
        self._refusal = self.folder / "refused.txt"

    @property
    def refusal(self) -> str | None:
        """Why the daemon would not start the last time; None: it did, or never tried."""
        try:
            return self._refusal.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return None

    @property
    def tells_of_denial(self) -> bool:
        """The last that was printed is that a file may not be read, and no daemon has got as far as its log since."""
        try:
            with self.output.open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _END_BYTES))
                is_told, told_at = _DENIED in file.read(), os.fstat(file.fileno()).st_mtime
            return is_told and not (self.log.exists() and self.log.stat().st_mtime > told_at)
        except OSError:
            return False

    def note_refusal(self, why: str) -> None:
        """Leave a note, because the exit status may not tell: see `cli.supervised`. It has been said aloud already."""
        with contextlib.suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._refusal.write_text(f"{why}\n", encoding="utf-8")

    def ours(self) -> list[Path]:
        """What is there of all this, with the older logs. Another daemon may have been told to log here, too."""
        return [path for path in (self.output, self._refusal, *self.folder.glob(f"{self.log.name}*")) if path.exists()]

    def begin(self) -> None:
        """Take away an earlier start's note; cut launchd's file of our output, if it has grown over the months."""
        self._refusal.unlink(missing_ok=True)
        for descriptor in (1, 2):
            try:
                found = os.fstat(descriptor)
            except OSError:  # closed
                continue
            if stat.S_ISREG(found.st_mode) and found.st_size > _MOST_OUTPUT_BYTES:
                os.ftruncate(descriptor, 0)
