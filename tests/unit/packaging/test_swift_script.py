"""`clients/swift/test.sh` says what is missing, and where the Swift tests are required that is a failure."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_SWIFT = Path(__file__).parents[3] / "clients" / "swift"
_NEEDED = ("bash", "dirname", "env", "grep")


def _program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def _swift(version: str) -> str:
    """A `swift` that says what it was asked for."""
    return f'[ "$1" = --version ] && echo "Swift version {version} (swift-{version}-RELEASE)" || echo "asked to $*"'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in which everything is there, and does nothing; programs are in `bin`."""
    package = tmp_path / "clients" / "swift"
    package.mkdir(parents=True)
    for name in ("test.sh", "format.sh"):
        shutil.copy(_SWIFT / name, package)
    (tmp_path / "bin").mkdir()
    for name in _NEEDED:
        found = shutil.which(name)
        assert found is not None
        (tmp_path / "bin" / name).symlink_to(found)
    _program(tmp_path / "bin" / "swift", _swift("6.1.2"))
    _program(tmp_path / "bin" / "uname", "echo Linux")
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
    assert "asked to test --no-parallel\n" in done.stdout


@pytest.mark.parametrize(
    ("part", "instead", "says"),
    [
        ("bin/swift", None, "a Swift 6.1 toolchain"),
        ("bin/swift", _swift("6.0.3"), "a newer Swift toolchain"),
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


@pytest.mark.parametrize("instead", [None, "exit 72"], ids=["no tools at all", "the command line tools alone"])
def test_on_a_mac_the_tests_take_xcode(checkout: Path, instead: str | None) -> None:
    """Its command line tools have a `swift` that builds no tests; without any tools `swift` opens a dialog."""
    _program(checkout / "bin" / "uname", "echo Darwin")
    _program(checkout / "bin" / "swift", "touch asked")
    if instead is not None:
        _program(checkout / "bin" / "xcrun", instead)
    done = run(checkout, SWIFT_TESTS="required")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("The Swift client is not tested: Xcode")
    assert not (checkout / "clients" / "swift" / "asked").exists()


def test_on_a_mac_with_xcode_the_tests_are_run(checkout: Path) -> None:
    """Xcode has the program that runs tests, and `xcrun` finds it."""
    _program(checkout / "bin" / "uname", "echo Darwin")
    _program(checkout / "bin" / "xcrun", '[ "$*" = "--find xctest" ]')
    done = run(checkout, SWIFT_TESTS="required")
    assert (done.returncode, done.stderr) == (0, "")
    assert "asked to test --no-parallel\n" in done.stdout


@pytest.mark.parametrize(
    ("version", "lints"), [("6.1.2", False), ("6.3", True), ("6.3.1", True), ("6.4", False), ("6.30", False)]
)
def test_only_the_version_that_formats_lints(checkout: Path, version: str, lints: bool) -> None:
    """Another one may want the same code laid out otherwise, and nobody would have changed a line."""
    _program(checkout / "bin" / "swift", _swift(version))
    done = run(checkout, SWIFT_TESTS="required")
    assert (done.returncode, done.stderr) == (0, "")
    assert ("asked to format lint --strict --recursive" in done.stdout) == lints
    assert ("neither formatted nor linted" in done.stdout) != lints
    assert "asked to test" in done.stdout
