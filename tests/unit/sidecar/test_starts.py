"""The record of starts that failed."""

from pathlib import Path

import pytest

from wilor_sidecar.starts import WINDOW_S, StartRecord


def started(directory: Path, now_s: float | None = None) -> StartRecord:
    """The record of a life that has begun."""
    record = StartRecord(directory, now_s)
    record.begin()
    return record


def test_a_first_start_has_no_past(tmp_path: Path) -> None:
    """Nothing has failed."""
    assert StartRecord(tmp_path).failed == 0


def test_lives_without_a_good_end_are_counted(tmp_path: Path) -> None:
    """Each start that was never forgotten, with the last reason that any of them left."""
    started(tmp_path, 100).note_failure("[METAL] one")
    started(tmp_path, 110).note_failure("[METAL] two")
    started(tmp_path, 120)  # killed: it could say nothing
    record = started(tmp_path, 130)
    assert (record.failed, record.last_why) == (3, "[METAL] two")


def test_a_life_that_never_began_is_not_counted(tmp_path: Path) -> None:
    """A setting that cannot be used ends the process before; who only reads the record changes nothing in it."""
    StartRecord(tmp_path).note_failure("a port is taken")
    assert list(tmp_path.iterdir()) == []


def test_a_good_end_makes_up_for_all(tmp_path: Path) -> None:
    """After it the next start is a first one; to forget twice is no mistake, and a later failure is not remembered."""
    for second in range(5):
        started(tmp_path, second)
    record = started(tmp_path, 5)
    assert record.failed == 5
    record.forget()
    record.forget()
    record.note_failure("much later")
    assert StartRecord(tmp_path, 6).failed == 0


@pytest.mark.parametrize(("later_s", "failed"), [(WINDOW_S - 1, 1), (WINDOW_S, 0), (-1, 0)])
def test_only_the_last_minutes_count(tmp_path: Path, later_s: float, failed: int) -> None:
    """What is older, or seems to lie in the future because the clock was set back, is no crash loop."""
    started(tmp_path, 1000)
    assert StartRecord(tmp_path, 1000 + later_s).failed == failed


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'[{"at_s": "x"}]', b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_record_is_an_empty_one(tmp_path: Path, content: bytes) -> None:
    """It must not keep the daemon from starting."""
    (tmp_path / "starts.json").write_bytes(content)
    assert started(tmp_path).failed == 0
    assert StartRecord(tmp_path).failed == 1


def test_a_long_reason_is_cut(tmp_path: Path) -> None:
    """The file stays small."""
    started(tmp_path).note_failure("x" * 100_000)
    assert (tmp_path / "starts.json").stat().st_size < 1000


def test_a_full_disk_is_only_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where nothing can be written the daemon serves all the same."""
    started(tmp_path / "missing")
    assert "cannot be written" in caplog.text
