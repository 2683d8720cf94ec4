"""The parts of `setup` that need no hub: what a hand is, room on the disk, the record of licences."""

import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from wilor_protocol.names import JOINT_PARENTS
from wilor_sidecar.setup.errors import SetupError
from wilor_sidecar.setup.licences import RECORD_FILE, accepted, settle
from wilor_sidecar.setup.manifest import repository_of
from wilor_sidecar.setup.plausible import implausible
from wilor_sidecar.setup.probe import probe_crop
from wilor_sidecar.setup.space import check_space

Usage = namedtuple("Usage", "total used free")


def hand() -> NDArray[np.float64]:
    """(21, 3) m: five straight fingers of four bones of 45 mm."""
    points = np.zeros((21, 3))
    for joint, parent in enumerate(JOINT_PARENTS):
        if parent >= 0:
            angle = (joint - 1) // 4 * 0.3
            points[joint] = points[parent] + 0.045 * np.array([np.cos(angle), np.sin(angle), 0])
    return points


def test_a_hand_is_plausible() -> None:
    """Wherever it is, however it is turned, small or large."""
    for scale in (0.5, 1, 2):
        assert implausible(scale * hand() + 0.3) == ""
        assert implausible(-scale * hand()[:, ::-1]) == ""


@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        (hand() * 5, "the hand is 900 mm long"),
        (hand() * 0.1, "the hand is 18 mm long"),
        (np.where(np.arange(21)[:, None] == 8, np.nan, hand()), "NaN"),
        (np.where(np.arange(21)[:, None] == 8, hand()[7], hand()), "from index_dip to index_tip it is 0.0 mm"),
    ],
)
def test_what_is_no_hand(spoilt: NDArray[np.float64], message: str) -> None:
    """Its size or a bone says why."""
    assert message in implausible(spoilt)


def test_the_probes_picture() -> None:
    """It is a crop as the network takes it, with a hand on it: not all of one colour."""
    crop = probe_crop()
    assert crop.shape == (1, 256, 256, 3)
    assert crop.dtype == np.uint8
    assert crop.std() > 30


def test_room_is_needed_together_on_one_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two folders on one file system need room for both; the margin counts; folders need not exist."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, 1_000_000_000))
    a, b = tmp_path / "a" / "deep", tmp_path / "b"
    check_space([(a, 400_000_000), (b, 500_000_000)])
    for needs in ([(a, 500_000_000), (b, 500_000_000)], [(a, 950_000_000)]):
        with pytest.raises(SetupError, match=rf"{tmp_path}: not enough room: 1\.\d+ GB are needed, 1\.00 GB are free"):
            check_space(needs)


def test_a_licence_is_asked_about_once(tmp_path: Path) -> None:
    """For each origin only what was not accepted before is shown."""
    shown: list[str] = []
    questions: list[str] = []

    def yes(question: str) -> str:
        questions.append(question)
        return " Yes "

    settle("upstream", tmp_path, by_flag=False, say=shown.append, ask=yes)
    assert len(questions) == 1
    assert any("BY-NC-ND" in line for line in shown)
    shown.clear()
    settle("upstream", tmp_path, by_flag=False, say=shown.append, ask=None)
    assert shown == []
    settle("wilor-mlx", tmp_path, by_flag=True, say=shown.append, ask=None)
    assert [line for line in shown if line.startswith("- ")] == ["- wilor-mlx's files: published as MIT"]
    assert [(each.licence, each.how) for each in accepted(tmp_path)] == [
        ("wilor-cc-by-nc-nd-4.0", "asked"),
        ("mano", "asked"),
        ("wilor-mlx-mit", "flag"),
    ]


@pytest.mark.parametrize("said", ["", "n", "no", "maybe", "yes please"])
def test_anything_but_yes_is_no(said: str, tmp_path: Path) -> None:
    """And nothing is written down."""
    with pytest.raises(SetupError, match="not accepted"):
        settle("upstream", tmp_path, by_flag=False, say=lambda line: None, ask=lambda question: said)
    assert not (tmp_path / RECORD_FILE).exists()


def test_a_record_that_cannot_be_read(tmp_path: Path) -> None:
    """The message says which file to delete."""
    (tmp_path / RECORD_FILE).write_text("[")
    with pytest.raises(SetupError, match=r"\.licences\.json: cannot be read .*delete it"):
        settle("upstream", tmp_path, by_flag=True, say=lambda line: None, ask=None)


def test_our_manifest() -> None:
    """Upstream's files are pinned by revision, size and hash; wilor-mlx's are not, and int4 has a file of its own."""
    upstream = repository_of("upstream", None)
    assert upstream.revision
    assert upstream.network.sha256
    assert upstream.network.size
    assert upstream.has_mano
    wilor_mlx = repository_of("wilor-mlx", None)
    assert wilor_mlx.revision is None
    assert wilor_mlx.network_for("int4") != wilor_mlx.network_for("float16") == wilor_mlx.network
