"""How a folder takes its place, and what is cleared up behind those that were killed."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wilor_sidecar.weights import durable_files
from wilor_sidecar.weights.convert import convert
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.placing import clear_abandoned, partial_of, put_in_place


@pytest.fixture
def dead() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_converted_folder_is_replaced(folder: Path, tmp_path: Path) -> None:
    """Also one that has lost a file, if what is left tells that it is one; nothing else is left."""
    made = shutil.copytree(folder, tmp_path / "made")
    (made / "probe.json").write_text("new")
    (folder / "model.safetensors").unlink()
    put_in_place(made, folder, overwrite=True)
    assert (folder / "probe.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("name", ["thesis.txt", "model.safetensors.bak"])
def test_what_is_not_ours_stays(name: str, folder: Path, tmp_path: Path) -> None:
    """Neither folder is touched."""
    made = shutil.copytree(folder, tmp_path / "made")
    (folder / name).write_text("mine")
    with pytest.raises(WeightsError, match="not a converted folder; it is left alone"):
        put_in_place(made, folder, overwrite=True)
    assert (folder / name).read_text() == "mine"
    assert made.is_dir()


def test_what_killed_processes_left_is_cleared(folder: Path, tmp_path: Path, dead: int) -> None:
    """Theirs only: not that of a living process, and not what stands beside under another name."""
    left, others = partial_of(folder, dead), partial_of(folder, os.getppid())
    neighbour = partial_of(folder.with_name("folder2"), dead)
    for path in (left, others, neighbour, tmp_path / ".folder.partial-x"):
        path.mkdir()
    clear_abandoned(folder)
    assert not left.exists()
    assert {path.name for path in tmp_path.iterdir()} == {
        "folder",
        others.name,
        neighbour.name,
        ".folder.partial-x",
    }


def test_a_folder_that_had_stepped_aside_comes_back(folder: Path, dead: int) -> None:
    """Killed between two renames, the old one is the only one; beside a new one it is deleted."""
    old = folder.with_name(f".folder.old-{dead}")
    folder.rename(old)
    clear_abandoned(folder)
    assert (folder / "config.json").is_file()
    shutil.copytree(folder, old)
    clear_abandoned(folder)
    assert not old.exists()


def test_the_next_conversion_clears_up(folder: Path, seeded_file: Path, dead: int) -> None:
    """To the same place."""
    partial_of(folder, dead).mkdir()
    convert(seeded_file, folder, overwrite=True)
    assert not partial_of(folder, dead).exists()


@pytest.mark.parametrize(
    ("full_sync", "is_known", "called"),
    [(None, True, ["fsync"]), (51, True, ["fcntl 51"]), (51, False, ["fcntl 51", "fsync"])],
)
def test_a_mac_is_asked_for_more_than_fsync(
    full_sync: int | None, is_known: bool, called: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is F_FULLFSYNC it is used, and fsync where the file system does not know it."""
    calls: list[str] = []

    def full(descriptor: int, command: int) -> int:
        calls.append(f"fcntl {command}")
        if not is_known:
            raise OSError(45, "Operation not supported")
        return 0

    monkeypatch.setattr(durable_files, "_FULL_SYNC", full_sync)
    monkeypatch.setattr(fcntl, "fcntl", full)
    monkeypatch.setattr(os, "fsync", lambda descriptor: calls.append("fsync"))
    durable_files.write_synced(tmp_path / "file", b"x")
    assert calls == called
