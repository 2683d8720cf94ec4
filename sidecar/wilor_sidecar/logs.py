"""Where the log goes: to stderr, or to a private file that rotates. It is bounded, whatever happens.

A record that repeats is held back, a long one is cut, and a control character in what came from outside is written as
an escape: a peer can neither fill the disk nor forge a line.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from wilor_sidecar.config import ConfigError

FILE_BYTES = 2_000_000
OLD_FILES = 5
"""At most 12 MB in all."""

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_LONGEST_RECORD = 8_000
_BURST = 5
_MOST_WORDINGS = 1000
_WINDOW_S = 10.0
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))} | {0x2028: "\\u2028", 0x2029: "\\u2029"}


def start_logging(level: str, file: Path | None) -> None:
    """Send the program's records where they belong, once for the process.

    Args:
        level: least one of ours to log: debug, info, warning, error. Of libraries, warnings and errors.
        file: None: stderr.

    Raises:
        ConfigError: the file cannot be written.
    """
    handler: logging.Handler
    try:
        handler = PrivateFile(file) if file else logging.StreamHandler(sys.stderr)
    except OSError as error:
        raise ConfigError(f"log_file: {file}: cannot be written: {error.strerror}") from error
    handler.setFormatter(BoundedFormatter(_FORMAT))
    handler.addFilter(Sparing())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("wilor_sidecar").setLevel(level.upper())
    logging.captureWarnings(True)


class PrivateFile(RotatingFileHandler):
    """A log that only its owner can read, and that keeps a few old files: `NAME.1` is the newest of them."""

    def __init__(self, path: Path, *, file_bytes: int = FILE_BYTES, old_files: int = OLD_FILES) -> None:
        """Open it; a folder that is missing is made, private too.

        Raises:
            OSError: it cannot be opened.
        """
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().__init__(path, maxBytes=file_bytes, backupCount=old_files, encoding="utf-8", errors="backslashreplace")

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.fchmod(descriptor, 0o600)  # it may be an older file, made with another umask
        return open(descriptor, "a", encoding=self.encoding, errors=self.errors)  # noqa: PTH123 - a descriptor


class BoundedFormatter(logging.Formatter):
    """Formats as usual, without control characters in the message, and not endlessly."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line, before a traceback is added to it."""
        record.message = record.message.translate(_ESCAPES)
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        """The line and the traceback, cut in the middle where they are too long: both ends say most."""
        text = super().format(record)
        if len(text) <= _LONGEST_RECORD:
            return text
        half = _LONGEST_RECORD // 2
        return f"{text[:half]} ... {len(text) - 2 * half} characters ... {text[-half:]}"


@dataclass(slots=True)
class _Window:
    began_at_s: float
    passed: int = 0
    held_back: int = 0


class Sparing(logging.Filter):
    """Lets a few warnings of one wording pass in some seconds; the next that passes says how many did not.

    Wordings are constants of the program, so that their number is small: data come as a record's arguments.
    """

    def __init__(
        self, *, burst: int = _BURST, window_s: float = _WINDOW_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Remember nothing yet.

        Args:
            burst: how many of a wording may pass in `window_s`.
            window_s: s.
            clock: s, monotonic.
        """
        super().__init__()
        self._burst = burst
        self._window_s = window_s
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, str], _Window] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record may pass."""
        if record.levelno < logging.WARNING:
            return True
        with self._lock:
            return self._passes(record)

    def _passes(self, record: logging.LogRecord) -> bool:
        now_s = self._clock()
        if len(self._windows) > _MOST_WORDINGS:  # one of them was no constant
            self._windows.clear()
        window = self._windows.setdefault((record.name, str(record.msg)), _Window(now_s))
        if now_s - window.began_at_s >= self._window_s:
            window.began_at_s, window.passed = now_s, 0
        if window.passed == self._burst:
            window.held_back += 1
            return False
        window.passed += 1
        if window.held_back:
            record.msg = f"{record.getMessage()} ({window.held_back} like this were not logged)"
            record.args = None
            window.held_back = 0
        return True
