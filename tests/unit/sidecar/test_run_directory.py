"""The private directory: who may take it, what is refused, and what is left behind."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from wilor_sidecar.run_directory import AlreadyRunningError, RunDirectory, RunDirectoryError, holder_of

LONGEST_SOCKET_PATH = 103 if sys.platform == "darwin" else 107

HOLDER = """
import sys
from pathlib import Path
from wilor_sidecar.run_directory import RunDirectory
RunDirectory.take(Path(sys.argv[1]))
print("taken", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def run_dir(short_dir: Path) -> Path:
    """A path for a run directory that does not exist yet."""
    return short_dir / "run"


@pytest.fixture
def umask_of_a_careless_parent() -> Iterator[None]:
    """Everything that is made may be open to everybody."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def holder(run_dir: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that has taken the directory."""
    command = [sys.executable, "-c", HOLDER, str(run_dir)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "taken\n"
        yield process
        process.kill()


def mode_of(path: Path) -> int:
    """Its permission bits."""
    return stat.S_IMODE(path.lstat().st_mode)


def make_socket(path: Path) -> None:
    """A socket file that nobody listens to any more."""
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))


@pytest.mark.usefixtures("umask_of_a_careless_parent")
def test_the_directory_is_made_private(run_dir: Path) -> None:
    """Directory and lock are the user's alone, whatever umask the daemon was started with."""
    directory = RunDirectory.take(run_dir)
    assert mode_of(run_dir) == 0o700
    assert mode_of(run_dir / "daemon.lock") == 0o600
    directory.release()


def test_missing_parents_are_made(short_dir: Path) -> None:
    """The directory may lie in directories that do not exist yet."""
    RunDirectory.take(short_dir / "a" / "b").release()
    assert mode_of(short_dir / "a" / "b") == 0o700


def test_a_private_directory_is_taken_as_it_is(run_dir: Path) -> None:
    """One that exists is used, and what lies in it stays."""
    run_dir.mkdir(0o700)
    (run_dir / "note").write_text("mine")
    RunDirectory.take(run_dir).release()
    assert (run_dir / "note").read_text() == "mine"


def test_the_addresses_are_sockets_in_the_directory(run_dir: Path) -> None:
    """Both are ipc addresses below the directory, absolute even if its path was not."""
    directory = RunDirectory.take(Path(os.path.relpath(run_dir)))
    assert directory.requests_address == f"ipc://{Path.cwd() / os.path.relpath(run_dir)}/requests"
    assert directory.events_address == f"ipc://{Path.cwd() / os.path.relpath(run_dir)}/events"
    directory.release()


def test_a_second_process_is_refused_and_told_who_is_first(run_dir: Path, holder: "subprocess.Popen[str]") -> None:
    """Two daemons cannot have one directory; the error names the directory and the other's pid."""
    with pytest.raises(AlreadyRunningError, match=rf"{run_dir}.*\b{holder.pid}\b"):
        RunDirectory.take(run_dir)


def test_a_refused_process_leaves_the_first_alone(run_dir: Path, holder: "subprocess.Popen[str]") -> None:
    """Neither the first one's sockets nor its lock are touched by those who come later."""
    for name in ("requests", "events"):
        make_socket(run_dir / name)
    for _ in range(3):
        with pytest.raises(AlreadyRunningError):
            RunDirectory.take(run_dir)
    assert (run_dir / "daemon.lock").read_text() == f"{holder.pid}\n"
    assert stat.S_ISSOCK((run_dir / "requests").stat().st_mode)


def test_the_lock_dies_with_its_holder(run_dir: Path, holder: "subprocess.Popen[str]") -> None:
    """After kill -9 the directory can be taken at once, with the sockets that were left behind."""
    make_socket(run_dir / "requests")
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    (run_dir / "daemon.lock").write_text("a longer number than any pid\n")
    directory = RunDirectory.take(run_dir)
    assert (run_dir / "daemon.lock").read_text() == f"{os.getpid()}\n"
    directory.release()


def test_a_second_taking_in_one_process_is_refused(run_dir: Path) -> None:
    """The lock holds within a process too, and a refused taking does not loosen it."""
    directory = RunDirectory.take(run_dir)
    for _ in range(2):
        with pytest.raises(AlreadyRunningError, match=str(os.getpid())):
            RunDirectory.take(run_dir)
    directory.release()


def test_release_keeps_the_lock_file(run_dir: Path) -> None:
    """After a release the lock's file is still there, and the next daemon can start."""
    RunDirectory.take(run_dir).release()
    assert [path.name for path in run_dir.iterdir()] == ["daemon.lock"]
    RunDirectory.take(run_dir).release()


def test_a_directory_that_was_taken_away_is_noticed(run_dir: Path) -> None:
    """When the lock's file has gone, with the directory or without, or another stands there, it is ours no more."""
    directory = RunDirectory.take(run_dir)
    assert directory.is_ours()
    (run_dir / "daemon.lock").rename(run_dir / "aside")
    assert not directory.is_ours()
    other = RunDirectory.take(run_dir)
    assert (directory.is_ours(), other.is_ours()) == (False, True)
    other.release()
    (run_dir / "aside").rename(run_dir / "daemon.lock")
    assert directory.is_ours()
    shutil.rmtree(run_dir)
    assert not directory.is_ours()
    directory.release()


def test_who_holds_a_directory_can_be_told(run_dir: Path, holder: "subprocess.Popen[str]") -> None:
    """By its number while it lives; a directory that nobody holds, or that is not there, has no holder."""
    assert holder_of(run_dir) == holder.pid
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert holder_of(run_dir) is None
    assert holder_of(run_dir / "missing") is None
    (run_dir / "daemon.lock").write_text(f"{os.getpid()}\n")  # a live process, which does not hold it
    assert holder_of(run_dir) is None
    RunDirectory.take(run_dir).release()


def test_a_link_is_refused(short_dir: Path, run_dir: Path) -> None:
    """Even a link to a private directory of our own: what it points to can be changed."""
    private = short_dir / "private"
    private.mkdir(0o700)
    run_dir.symlink_to(private)
    with pytest.raises(RunDirectoryError, match="link"):
        RunDirectory.take(run_dir)
    assert list(private.iterdir()) == []


def test_a_dangling_link_is_refused(short_dir: Path, run_dir: Path) -> None:
    """Nothing is made where it points to."""
    run_dir.symlink_to(short_dir / "nowhere")
    with pytest.raises(RunDirectoryError, match=str(run_dir)):
        RunDirectory.take(run_dir)
    assert not (short_dir / "nowhere").exists()


def test_a_file_in_its_place_is_refused(run_dir: Path) -> None:
    """A regular file is neither replaced nor removed."""
    run_dir.write_text("precious")
    with pytest.raises(RunDirectoryError, match=str(run_dir)):
        RunDirectory.take(run_dir)
    assert run_dir.read_text() == "precious"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
def test_somebody_elses_directory_is_refused(run_dir: Path) -> None:
    """A directory that belongs to another user is refused, with both users' numbers."""
    run_dir.mkdir(0o700)
    os.chown(run_dir, 65534, 65534)
    with pytest.raises(RunDirectoryError, match=r"65534.*\b0\b"):
        RunDirectory.take(run_dir)


@pytest.mark.parametrize("mode", [0o701, 0o702, 0o704, 0o710, 0o720, 0o740, 0o755, 0o777])
def test_a_directory_that_is_open_to_others_is_refused(run_dir: Path, mode: int) -> None:
    """Any single bit for group or others is one too many; the error says the mode and what to do."""
    run_dir.mkdir()
    run_dir.chmod(mode)
    with pytest.raises(RunDirectoryError, match=f"mode {mode:o}.*chmod 700"):
        RunDirectory.take(run_dir)
    assert mode_of(run_dir) == mode


@pytest.mark.parametrize("name", ["requests", "events"])
def test_something_else_where_a_socket_goes_is_refused(run_dir: Path, name: str) -> None:
    """A regular file in a socket's place is named and kept, and the lock stays free."""
    run_dir.mkdir(0o700)
    (run_dir / name).write_text("precious")
    with pytest.raises(RunDirectoryError, match=f"{run_dir / name}"):
        RunDirectory.take(run_dir)
    assert (run_dir / name).read_text() == "precious"
    (run_dir / name).unlink()
    RunDirectory.take(run_dir).release()


@pytest.mark.parametrize("name", ["requests", "events"])
def test_a_link_where_a_socket_goes_is_refused(run_dir: Path, name: str) -> None:
    """A link is not followed, wherever it leads."""
    run_dir.mkdir(0o700)
    (run_dir / name).symlink_to(run_dir / "elsewhere")
    with pytest.raises(RunDirectoryError, match=f"{run_dir / name}"):
        RunDirectory.take(run_dir)


@pytest.mark.parametrize("instead", ["link", "directory"])
def test_something_else_where_the_lock_goes_is_refused(run_dir: Path, instead: str) -> None:
    """What is no file of ours is not opened, and the error says so in our words."""
    run_dir.mkdir(0o700)
    if instead == "link":
        (run_dir / "daemon.lock").symlink_to(run_dir / "elsewhere")
    else:
        (run_dir / "daemon.lock").mkdir()
    with pytest.raises(RunDirectoryError, match=str(run_dir)):
        RunDirectory.take(run_dir)
    assert not (run_dir / "elsewhere").exists()


def a_directory_for_sockets_of(length: int, below: Path) -> Path:
    """A directory in which `requests` has a path of so many bytes."""
    room = length - len(os.fsencode(below)) - len("/") - len("/requests")
    return below / ("é" * (room // 2) + "x" * (room % 2))


def test_the_longest_path_for_a_socket_is_one_that_can_be_bound(short_dir: Path) -> None:
    """At the limit the directory is taken, and ZeroMQ binds and is found there."""
    directory = RunDirectory.take(a_directory_for_sockets_of(LONGEST_SOCKET_PATH, short_dir))
    with zmq.Context() as context, context.socket(zmq.ROUTER) as server:
        server.bind(directory.requests_address)
        assert Path(directory.requests_address.removeprefix("ipc://")).is_socket()
    directory.release()


def test_a_path_too_long_for_a_socket_is_refused(short_dir: Path) -> None:
    """One byte more is refused, with the excess, and nothing is made."""
    path = a_directory_for_sockets_of(LONGEST_SOCKET_PATH + 1, short_dir)
    with pytest.raises(RunDirectoryError, match=r"\b1 bytes? too long"):
        RunDirectory.take(path)
    assert not path.exists()
