"""A check that cannot be made is a finding like others."""

from collections.abc import Iterator

from wilor_sidecar.doctor.findings import Finding, ok
from wilor_sidecar.doctor.guard import guarded


def breaks(error: Exception) -> Iterator[Finding]:
    """Find one thing, and fail."""
    yield ok("first", "seen")
    raise error


def test_a_failed_check_is_a_problem() -> None:
    """After what it had found; the first line of the error says what happened."""
    first, failed = guarded("thing", lambda: breaks(ZeroDivisionError("twice\nand more")))
    assert first == ok("first", "seen")
    assert (failed.check, failed.level) == ("thing", "problem")
    assert failed.text == "the check itself failed: ZeroDivisionError: twice"
    assert "--report" in failed.mend


def test_a_missing_package_is_named() -> None:
    """With the command that brings it."""
    _, failed = guarded("hub", lambda: breaks(ModuleNotFoundError("no", name="huggingface_hub")))
    assert failed.text == "the package huggingface_hub is missing"
    assert "wilor-sidecar" in failed.mend or "daemon,camera" in failed.mend
