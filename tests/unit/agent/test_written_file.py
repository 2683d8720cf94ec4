"""A file of ours that a person may change: every change is noticed, and nothing else is."""

from pathlib import Path

import pytest

from wilor_sidecar.agent.errors import AgentError
from wilor_sidecar.agent.written_file import WrittenFile

TEXT = "one\ntwo\nthree\n"


@pytest.fixture(params=["agent.plist", "agent.service"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> WrittenFile:
    """A file in a folder that does not exist yet, of either kind."""
    return WrittenFile(tmp_path / "folder" / request.param)


def test_a_file_that_is_not_there(file: WrittenFile) -> None:
    """It is missing, and written with its folder."""
    assert file.condition(TEXT) == "missing"
    file.write(TEXT)
    assert file.condition(TEXT) == "as wanted"
    assert file.path.read_text().startswith(TEXT)
    assert [path.name for path in file.path.parent.iterdir()] == [file.path.name], "something else was left"


def test_what_we_wrote_is_outdated_when_another_text_is_wanted(file: WrittenFile) -> None:
    """Nobody touched it, so it may be replaced."""
    file.write(TEXT)
    assert file.condition("four\n") == "outdated"


@pytest.mark.parametrize("change", [("two", "2"), ("three\n", "three\n\n"), ("one\n", ""), ("sha256", "sha-256")])
def test_a_change_by_hand_is_noticed(file: WrittenFile, change: tuple[str, str]) -> None:
    """Whatever was changed, unless the text is again the wanted one."""
    file.write(TEXT)
    file.path.write_text(file.path.read_text().replace(*change))
    assert file.condition("four\n") == "edited"


def test_a_file_without_our_mark_is_somebody_s(file: WrittenFile) -> None:
    """Made by hand, it is kept, unless it is just as wanted."""
    file.path.parent.mkdir()
    file.path.write_text("by hand\n")
    assert file.condition(TEXT) == "edited"
    file.path.write_text(TEXT)
    assert file.condition(TEXT) == "as wanted"


def test_bytes_that_are_no_text(file: WrittenFile) -> None:
    """They are somebody's, too, and can be shown."""
    file.path.parent.mkdir()
    file.path.write_bytes(b"\xff\0")
    assert file.condition(TEXT) == "edited"
    assert "-two" in file.changes(TEXT)


def test_changes_are_shown(file: WrittenFile) -> None:
    """What was changed is shown as a difference, without our mark."""
    file.write(TEXT)
    file.path.write_text(file.path.read_text().replace("two", "2"))
    shown = file.changes(TEXT)
    assert "-two\n+2" in shown
    assert "sha256" not in shown


def test_what_we_wrote_is_removed(file: WrittenFile) -> None:
    """Wholly, and named; where there is none nothing is said."""
    assert file.remove() is None
    file.write(TEXT)
    assert file.remove() == f"removed {file.path}"
    assert list(file.path.parent.iterdir()) == []


def test_what_was_changed_by_hand_is_kept_elsewhere(file: WrittenFile) -> None:
    """Under a name that no supervisor reads."""
    file.write(TEXT)
    file.path.write_text(file.path.read_text().replace("two", "2"))
    kept = file.path.with_name(f"{file.path.name}.bak")
    assert file.remove() == f"removed {file.path}, which was changed by hand: it is kept as {kept}"
    assert [path.name for path in file.path.parent.iterdir()] == [kept.name]
    assert "one\n2\n" in kept.read_text()


def test_a_place_that_cannot_be_used(file: WrittenFile) -> None:
    """Where a folder should be stands a file: a sentence that names the place."""
    file.path.parent.touch()
    with pytest.raises(AgentError, match=f"{file.path}: cannot be read: Not a directory"):
        file.condition(TEXT)
    with pytest.raises(AgentError, match=f"{file.path}: cannot be written: "):
        file.write(TEXT)
