"""A child process with limits: what it answers, what it may not do, and that it dies with its parent."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from wilor_sidecar.isolation import Child, IsolatedError, Limits, answer

WAIT_S = 60
MODULE = "tests.unit.setup.test_isolation"
"""This one, as the child finds it from the root of the repository."""
_ROOT = Path(__file__).parents[3]


class Task(msgspec.Struct):
    """What the child shall do."""

    what: str
    text: str = ""


class Done(msgspec.Struct):
    """It has."""

    text: str


class RefusedError(Exception):
    """It will not."""


def work(task: Task) -> Done:
    """Do as told: this runs in the child."""
    match task.what:
        case "echo":
            return Done(task.text)
        case "refuse":
            raise RefusedError(task.text)
        case "break":
            raise RuntimeError(task.text)
        case "allocate":
            return Done(str(len(bytearray(1 << 34))))
        case "spin":
            while True:
                pass
        case "sleep":
            time.sleep(WAIT_S)
        case "write":
            Path(task.text).write_bytes(bytes(1 << 20))
        case "die":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "pid":
            Path(task.text).write_text(str(os.getpid()))
            time.sleep(WAIT_S)
    return Done("")


def ask(what: str, text: str = "", **limits: float) -> str:
    """Let a child do something."""
    return Child(MODULE, Limits(**{"wall_s": WAIT_S, **limits})).ask(Task(what, text), Done).text  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _child_finds_this_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(_ROOT))


def test_an_answer_comes_back() -> None:
    """Whatever the text."""
    assert ask("echo", "héllo\n") == "héllo\n"


def test_nothing_in_the_working_directory_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a downloaded file is called as a library is."""
    (tmp_path / "msgspec.py").write_text("raise SystemExit('run')")
    monkeypatch.chdir(tmp_path)
    assert ask("echo", "unharmed") == "unharmed"


@pytest.mark.parametrize(
    ("what", "text", "limits", "message"),
    [
        ("refuse", "no such thing", {}, "^no such thing$"),
        ("break", "a defect", {}, "ended with status 1 without an answer: RuntimeError: a defect"),
        ("spin", "", {"cpu_s": 3}, "more than 3 s of processor time"),
        ("sleep", "", {"wall_s": 0.5}, r"took more than 0\.5 s"),
        ("die", "", {}, "died of SIGSEGV"),
        ("allocate", "", {"memory_bytes": 4 << 30}, r"more memory than the 4\.3 GB"),
    ],
)
def test_no_answer_is_told(what: str, text: str, limits: dict[str, float], message: str) -> None:
    """A refusal in its own words, a defect by its last line, a limit by its name."""
    with pytest.raises(IsolatedError, match=message):
        ask(what, text, **limits)


def test_a_file_that_grows_too_large(tmp_path: Path) -> None:
    """The kernel stops the writing."""
    with pytest.raises(IsolatedError, match=r"SIGXFSZ|wrote more than|File too large"):
        ask("write", str(tmp_path / "file"), file_bytes=1 << 16)
    assert (tmp_path / "file").stat().st_size <= 1 << 16


def test_a_limit_that_is_already_lower_stays(tmp_path: Path) -> None:
    """A soft one too: whoever started us with less did so on purpose."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    try:
        with pytest.raises(IsolatedError, match=r"SIGXFSZ|wrote more than|File too large"):
            ask("write", str(tmp_path / "file"), file_bytes=1 << 22)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (tmp_path / "file").stat().st_size <= 1 << 16


def test_the_child_dies_with_its_parent(tmp_path: Path) -> None:
    """Also when the parent is killed and can do nothing about it any more."""
    note = tmp_path / "pid"
    code = f"from {MODULE} import ask; ask('pid', {str(note)!r})"
    with subprocess.Popen([sys.executable, "-c", code]) as parent:
        pid = int(_read_when_written(note))
        parent.kill()
    deadline = time.monotonic() + WAIT_S / 2  # the child would sleep longer
    while _is_alive(pid):
        assert time.monotonic() < deadline, "the child has outlived its parent"
        time.sleep(0.02)


def _read_when_written(path: Path) -> str:
    deadline = time.monotonic() + WAIT_S
    while not path.exists() or not path.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return path.read_text()


def _is_alive(pid: int) -> bool:
    """Whether it runs; one that has ended and that nobody has asked about does not."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(found.strip()) and not found.strip().startswith("Z")


if __name__ == "__main__":
    answer(Task, work, RefusedError)
