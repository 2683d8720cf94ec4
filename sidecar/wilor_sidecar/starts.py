"""Whether the daemon keeps dying young: a supervisor would start it for ever, and load gigabytes each time.

The record is a file in the run directory: when each life began that has not come to a good end, and what ended it.
"""

import logging
import time
from pathlib import Path
from typing import Annotated

import msgspec

log = logging.getLogger(__name__)

WINDOW_S = 600.0
"""Only lives that began within this time count; after it a new try is worth while."""
GROWN_UP_S = 60.0
"""A life that was ready for so long is no failed start, however it ends."""
FILE = "starts.json"
"""Of the record, in the run directory."""
_MAX_BYTES = 1 << 16


class Start(msgspec.Struct):
    """A life that began.

    Attributes:
        at_s: on the wall clock: it goes on while nobody runs.
        why: what ended it; empty when it could not say.
    """

    at_s: float
    why: Annotated[str, msgspec.Meta(max_length=400)] = ""


class StartRecord:
    """The starts that have failed lately, and this one, until it has proved itself.

    Attributes:
        failed: how many lives before this one have had no good end.
        last_why: what ended the last of them that could say.
    """

    def __init__(self, directory: Path, now_s: float | None = None) -> None:
        """Read the record.

        Args:
            directory: private, held by this process.
            now_s: the wall clock's time; None: as it is.
        """
        self._now_s = time.time() if now_s is None else now_s
        self._path = directory / FILE
        self._starts = [start for start in _read(self._path) if 0 <= self._now_s - start.at_s < WINDOW_S]
        self.failed = len(self._starts)
        self.last_why = next((start.why for start in reversed(self._starts) if start.why), "it could not say why")
        self._this: Start | None = None

    def begin(self) -> None:
        """This life begins: it counts as a failed one until `forget`."""
        self._this = Start(self._now_s)
        self._starts.append(self._this)
        self._write()

    def note_failure(self, why: str) -> None:
        """Say what ends this life, if it counts still."""
        if self._this is not None:
            self._this.why = why[:400]
            self._write()

    def forget(self) -> None:
        """This life has proved itself, or has been asked to end: the next start is a first one."""
        self._this = None
        if self._starts:
            self._starts = []
            self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        temporary = self._path.with_suffix(".new")
        try:
            temporary.write_bytes(msgspec.json.encode(self._starts))
            temporary.replace(self._path)
        except OSError as error:  # a full disk must not keep the daemon from serving
            log.warning("%s: cannot be written: %s", self._path, error.strerror)


def _read(path: Path) -> list[Start]:
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(_MAX_BYTES), type=list[Start])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return []
