"""What goes with the agent, and what stays because others may use it."""

import socket
from pathlib import Path

import pytest

from wilor_sidecar.agent.launchd_files import LaunchdFiles
from wilor_sidecar.agent.leftovers import remove_leftovers
from wilor_sidecar.run_directory import RunDirectory
from wilor_sidecar.starts import StartRecord


def write(*paths: Path) -> None:
    """Files with something in them."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("something")


@pytest.fixture
def library(short_dir: Path) -> Path:
    """A user's Library on a Mac, where an agent's daemon has lived."""
    library = short_dir / "Library"
    files = LaunchdFiles(short_dir)
    write(files.log, files.log.with_name("daemon.log.1"), files.output)
    files.note_refusal("model: no such folder")
    write(library / "Caches" / "wilor-sidecar" / "agent-kernels" / "mlx" / "abs.so")
    directory = RunDirectory.take(library / "Caches" / "wilor-sidecar" / "run")
    StartRecord(directory.path).begin()
    directory.release()
    return library


def uninstall(library: Path) -> list[str]:
    """What is said when all is taken away that may be."""
    caches = library / "Caches" / "wilor-sidecar"
    files = LaunchdFiles(library.parent).ours()
    return list(remove_leftovers(files=files, kernels=caches / "agent-kernels", run_dir=caches / "run"))


def test_nothing_stays(library: Path) -> None:
    """Not even an empty folder of ours; a second time there is nothing to say."""
    told = uninstall(library)
    assert sorted(path.name for path in library.rglob("*")) == ["Caches", "Logs"]
    assert f"removed {library / 'Caches/wilor-sidecar/run'}" in told
    assert uninstall(library) == []


def test_what_others_made_stays(library: Path) -> None:
    """Another daemon's log, the shared cache, and a file that somebody has laid into the run directory."""
    caches = library / "Caches" / "wilor-sidecar"
    theirs = [
        library / "Logs" / "wilor-sidecar" / "by-hand.log",
        caches / "kernels" / "abs.so",
        caches / "run" / "notes.txt",
    ]
    write(*theirs)
    told = uninstall(library)
    assert sorted(path for path in library.rglob("*") if path.is_file()) == sorted(theirs)
    assert told[-1] == f"left {caches / 'run'}: it holds files that are not the daemon's"


def test_another_daemon_keeps_its_run_directory(library: Path) -> None:
    """One that was started by hand holds the lock, whether it answers or not."""
    run_dir = library / "Caches" / "wilor-sidecar" / "run"
    held = RunDirectory.take(run_dir)
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(str(run_dir / "requests"))
        told = uninstall(library)
        assert (run_dir / "requests").is_socket()
    assert told[-1].startswith(f"left {run_dir}: a daemon (pid ")
    held.release()


def test_a_directory_of_a_person_s_is_not_ours_to_empty(library: Path) -> None:
    """Settings may name any folder for the sockets: one that others may enter was never a run directory."""
    home = library.parent / "home"
    write(home / "daemon.lock")
    home.chmod(0o755)
    [*_, told] = remove_leftovers(files=[], kernels=library / "none", run_dir=home)
    assert told.startswith(f"left run directory {home}: is open to others")
    assert (home / "daemon.lock").exists()
