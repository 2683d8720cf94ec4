"""`clients/swift/test.sh` says what is missing, and where the Swift tests are required that is a failure."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).parents[3] / "clients" / "swift" / "test.sh"
_NEEDED = ("bash", "dirname", "grep")


def _program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in which everything is there, and does nothing; programs are in `bin`."""
    script = tmp_path / "clients" / "swift" / "test.sh"
    script.parent.mkdir(parents=True)
    shutil.copy(_SCRIPT, script)
    (tmp_path / "bin").mkdir()
    for name in _NEEDED:
        found = shutil.which(name)
        assert found is not None
        (tmp_path / "bin" / name).symlink_to(found)
    _program(tmp_path / "bin" / "swift", "echo Swift version 6.1.2")
    _program(tmp_path / "bin" / "pkg-config", "exit 0")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    _program(tmp_path / ".venv" / "bin" / "python", "exit 0")
    return tmp_path


def run(checkout: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The script, with nothing but the checkout's programs to be found."""
    return subprocess.run(
        [str(checkout / "bin" / "bash"), str(checkout / "clients" / "swift" / "test.sh")],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(checkout / "bin"), "LC_ALL": os.environ.get("LC_ALL", "C.UTF-8"), **environment},
    )


def test_with_everything_there_the_tests_are_run(checkout: Path) -> None:
    """The stand-in for `swift` is called for them."""
    done = run(checkout, SWIFT_TESTS="required")
    assert (done.returncode, done.stderr) == (0, "")
    assert "6.1.2" in done.stdout


@pytest.mark.parametrize(
    ("part", "instead", "says"),
    [
        ("bin/swift", None, "a Swift 6.1 toolchain"),
        ("bin/swift", "echo Swift version 6.0.3", "a newer Swift toolchain"),
        ("bin/pkg-config", None, "pkg-config"),
        ("bin/pkg-config", "exit 1", "ZeroMQ's library"),
        (".venv/bin/python", None, "the daemon to test against"),
    ],
)
def test_a_missing_part_is_told_and_where_required_a_failure(
    checkout: Path, part: str, instead: str | None, says: str
) -> None:
    """Otherwise the rest of `make test` goes on."""
    (checkout / part).unlink()
    if instead is not None:
        _program(checkout / part, instead)
    for environment, status in (({}, 0), ({"SWIFT_TESTS": "required"}, 1)):
        done = run(checkout, **environment)
        assert (done.returncode, done.stdout) == (status, "")
        assert done.stderr.startswith(f"The Swift client is not tested: {says}")
        assert "Get it: " in done.stderr
