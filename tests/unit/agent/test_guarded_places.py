"""Where macOS may keep something from what launchd starts."""

import unicodedata
from pathlib import Path

import pytest

from wilor_sidecar.agent.guarded_places import Obstacle, obstacles

HOME = Path("/Users/Zoë")


def found(path: Path, *, platform: str = "darwin", home: Path = HOME) -> Obstacle | None:
    """What is in the way to one place; None: nothing."""
    told = list(obstacles({"model": path}, "move it", platform=platform, home=home))
    assert len(told) <= 1
    return told[0] if told else None


@pytest.mark.parametrize(
    "path",
    [
        "Documents",
        "Documents/checkout/.venv/bin/wilor-sidecar",
        "Desktop/model",
        "Downloads/model",
        "Library/Mobile Documents/com~apple~CloudDocs/model",
        "Library/CloudStorage/Dropbox/model",
        "documents/model",
        ".local/../Documents/model",
    ],
)
def test_folders_of_documents(path: str) -> None:
    """In any case, as a Mac's disk has it; and only on a Mac."""
    obstacle = found(HOME / path)
    assert obstacle is not None
    assert obstacle.is_certain
    assert str(obstacle).startswith(
        f"model lies in {obstacle.folder}, where macOS lets a terminal read, and not launchd: "
    )
    assert found(HOME / path, platform="linux") is None


def test_a_home_in_another_composition() -> None:
    """A letter with its accent, or the letter and the accent: the disk takes both for the same."""
    composed, apart = (unicodedata.normalize(form, str(HOME)) for form in ("NFC", "NFD"))
    assert composed != apart
    assert found(Path(apart) / "Documents" / "model", home=Path(composed)) is not None


@pytest.mark.parametrize(
    "path",
    [
        "/Users/Zoë/.local/share/uv/tools/wilor-sidecar/bin/wilor-sidecar",
        "/Users/Zoë/Library/Application Support/wilor-sidecar/models",
        "/Users/Zoë/Documents of mine/model",
        "/Users/Zoë/src/Documents/model",
        "/Users/Zoë",
        "/opt/homebrew/bin/wilor-sidecar",
        "/Users/Shared/model",
    ],
)
def test_other_places(path: str) -> None:
    """They are as free to launchd as to anybody."""
    assert found(Path(path)) is None


def test_links_are_followed(tmp_path: Path) -> None:
    """To the place itself, and from a home that is a link; a link in a guarded folder cannot be read either."""
    home = tmp_path / "home"
    model, documents = tmp_path / "disk" / "model", tmp_path / "disk" / "you" / "Documents"
    for folder in (model, documents / "model"):
        folder.mkdir(parents=True)
    home.symlink_to(tmp_path / "disk" / "you")
    (home / "link").symlink_to(documents / "model")
    (documents / "away").symlink_to(model)
    there = found(home / "link", home=home)
    assert there is not None
    assert there.path == documents / "model"
    away = found(home / "Documents" / "away", home=home)
    assert away is not None
    assert away.path == home / "Documents" / "away"


def test_a_volume() -> None:
    """It may be there, and may be open: that is not certain. The disk of the system is none."""
    obstacle = found(Path("/Volumes/Models/wilor"))
    assert obstacle is not None
    assert not obstacle.is_certain
    assert obstacle.folder == Path("/Volumes/Models")
    assert "may not be there at login" in str(obstacle)
    on_a_volume = Path("/Volumes/Data/Users/you")
    documents = found(on_a_volume / "Documents" / "model", home=on_a_volume)
    assert documents is not None
    assert documents.is_certain, "the worse of both"
