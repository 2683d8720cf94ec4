"""The log is private and bounded, whatever is thrown at it."""

import logging
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wilor_sidecar.config import ConfigError
from wilor_sidecar.logs import BoundedFormatter, PrivateFile, Sparing, start_logging

Log = Callable[..., None]


@pytest.fixture
def logged(tmp_path: Path) -> Iterator[tuple[logging.Logger, Path]]:
    """A logger of its own with a private file of small size under it."""
    file = tmp_path / "logs" / "daemon.log"
    handler = PrivateFile(file, file_bytes=10_000, old_files=2)
    handler.setFormatter(BoundedFormatter("%(levelname)s %(message)s"))
    logger = logging.Logger("under test")  # not in the tree of loggers: pytest's handlers see nothing
    logger.addHandler(handler)
    yield logger, file
    handler.close()


def test_file_and_folder_are_private(logged: tuple[logging.Logger, Path]) -> None:
    """Only the owner reads them; old files too."""
    logger, file = logged
    for _ in range(150):
        logger.info("%s", "x" * 100)
    files = sorted(file.parent.iterdir())
    assert [each.name for each in files] == ["daemon.log", "daemon.log.1"]
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_an_older_file_becomes_private(tmp_path: Path) -> None:
    """One that another umask made is closed to others."""
    file = tmp_path / "daemon.log"
    file.touch(mode=0o644)
    PrivateFile(file).close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_files_are_bounded_and_the_newest_is_kept(logged: tuple[logging.Logger, Path]) -> None:
    """Old files go, the last line stays."""
    logger, file = logged
    for number in range(5000):
        logger.info("line %d", number)
    assert sum(each.stat().st_size for each in file.parent.iterdir()) <= 30_000
    assert file.read_text().endswith("INFO line 4999\n")


@pytest.mark.parametrize("length", [100_000, 10_000_000])
def test_a_long_record_is_cut(logged: tuple[logging.Logger, Path], length: int) -> None:
    """Both ends stay."""
    logger, file = logged
    logger.info("begin %s end", "x" * length)
    text = file.read_text()
    assert len(text) < 8_200
    assert text.startswith("INFO begin x")
    assert text.endswith("x end\n")


def open_nothing(why: str) -> None:
    """Fail, at length."""
    raise ValueError(why)


def test_a_long_traceback_is_cut(logged: tuple[logging.Logger, Path]) -> None:
    """An error whose text is endless does not make an endless log."""
    logger, file = logged
    try:
        open_nothing("y" * 100_000)
    except ValueError:
        logger.exception("it failed")
    assert file.read_text().startswith("ERROR it failed\nTraceback")
    assert file.stat().st_size < 8_200


def test_no_line_can_be_forged(logged: tuple[logging.Logger, Path]) -> None:
    """Control characters that come from outside are written as escapes; other scripts stay readable."""
    logger, file = logged
    logger.warning("source %s", "cam\nERROR root: forged\r\x1b[31m\x85\u2028 手")
    assert file.read_text() == "WARNING source cam\\x0aERROR root: forged\\x0d\\x1b[31m\\x85\\u2028 手\n"


def test_text_that_is_no_unicode_is_written(logged: tuple[logging.Logger, Path]) -> None:
    """A lone surrogate, as file names may have, does not cost the record."""
    logger, file = logged
    logger.info("name %s", "a\udcff")
    assert file.read_text() == "INFO name a\\udcff\n"


def record(level: int, message: str, *arguments: object) -> logging.LogRecord:
    """A record as a logger would make it."""
    return logging.LogRecord("name", level, __file__, 1, message, arguments, None)


def test_a_wording_that_repeats_is_held_back() -> None:
    """Some pass, then one tells how many did not. Each wording counts for itself, and information does not."""
    now_s = 0.0
    sparing = Sparing(burst=2, window_s=10, clock=lambda: now_s)
    passed = [sparing.filter(record(logging.WARNING, "bad %d", number)) for number in range(100)]
    assert passed == [True, True] + [False] * 98
    assert sparing.filter(record(logging.WARNING, "other"))
    assert sparing.filter(record(logging.INFO, "bad %d", 1))
    now_s = 10.0
    later = record(logging.WARNING, "bad %d", 100)
    assert sparing.filter(later)
    assert later.getMessage() == "bad 100 (98 like this were not logged)"
    again = record(logging.WARNING, "bad %d", 101)
    assert sparing.filter(again)
    assert again.getMessage() == "bad 101"


def test_a_hundred_thousand_warnings(tmp_path: Path) -> None:
    """As the daemon logs: 100,000 warnings of one wording are a few lines, of different wordings at most 12 MB."""
    file = tmp_path / "daemon.log"
    script = """
import logging, sys, pathlib
from wilor_sidecar.logs import start_logging
start_logging("debug", pathlib.Path(sys.argv[1]))
log = logging.getLogger("wilor_sidecar.test")
for number in range(100_000):
    log.warning(sys.argv[2].replace("N", str(number)), number, "x" * 300)
"""
    started = time.monotonic()
    for wording, most_bytes in (("same %d %s", 10_000), ("N: %d %s", 12_000_000)):
        subprocess.run([sys.executable, "-c", script, str(file), wording], check=True, timeout=120)
        sizes = [each.stat().st_size for each in tmp_path.iterdir()]
        assert 0 < sum(sizes) <= most_bytes
        assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()} == {0o600}
    print(f"{sum(sizes) / 1e6:.1f} MB in {len(sizes)} files after 100,000 wordings, {time.monotonic() - started:.1f} s")
    assert len(sizes) == 6


def test_a_log_that_cannot_be_written_is_a_wrong_setting(tmp_path: Path) -> None:
    """The error names the setting, the file and the reason."""
    with pytest.raises(ConfigError, match=f"log_file: {tmp_path}: cannot be written: Is a directory"):
        start_logging("info", tmp_path)
