"""The embedded model, as it is shipped: right on hands that it never saw, and no worse than when it was shipped.

The renders are `training.render_set`'s, as hard as training's hardest; the film is the demo's.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load_file

from training.mano_arrays import mano_arrays
from wilor_client import make_crop
from wilor_sidecar.accuracy import aligned_error_m
from wilor_sidecar.cli.demo_film import Frame, film
from wilor_sidecar.model import Wilor, load_model
from wilor_sidecar.setup.probe import probe_crop, read_probe
from wilor_sidecar.weights.store import EMBEDDED_FOLDER

RENDERS = Path(__file__).with_name("renders")
COLUMNS = 8
ALIGNED_MM, IN_BOX = 8.0, 3.9
FINGERS = {"thumb": 1, "index": 5, "middle": 9, "ring": 13, "little": 17}
GESTURES = {
    "right": ({"index", "middle", "ring", "little"}, {"middle", "ring", "little"}, {"index"}, {"index", "middle"}),
    "left": (set(), {"index", "middle", "ring", "little"}, {"middle", "ring", "little"}, {"index", "little"}),
}
"""Straight fingers of the film's gestures: open, pinch, point, victory; fist, open, OK, horns seen from the back."""
FRAMES_A_GESTURE = 8
STRAIGHT, BENT_ALIKE = 0.9, 0.22
"""How far a straight finger reaches at the least; and how far apart reaches may be, of a finger behind others too."""

Floats = NDArray[np.floating]


@pytest.fixture(scope="module")
def model() -> Wilor:
    """What a daemon without settings serves."""
    return load_model("embedded")


def test_it_is_small_trained_and_ours(model: Wilor) -> None:
    """At most 16 MB, under the project's licence, with its card."""
    assert model.config.trained
    assert (model.config.name, model.config.licence) == ("embedded", "MIT")
    assert sum(file.stat().st_size for file in EMBEDDED_FOLDER.iterdir()) < 16e6
    assert "biometric" in (EMBEDDED_FOLDER / "MODEL_CARD.md").read_text()


def test_its_hand_is_the_one_that_is_drawn() -> None:
    """The arrays inside are those that training's pictures were labelled with, to the bit."""
    stored = load_file(EMBEDDED_FOLDER / "model.safetensors")
    for name, array in mano_arrays().items():
        assert np.array_equal(stored[f"mano.{name}"], array), name


def test_its_stored_answer(model: Wilor) -> None:
    """`doctor` compares other devices with it: it is what these weights answer, in half precision or in single."""
    stored = read_probe(EMBEDDED_FOLDER)
    assert stored is not None
    answered = model(probe_crop())
    apart_mm = stored.apart_mm(answered["pred_keypoints_3d"][0])
    print(f"{apart_mm:.5f} mm apart")
    assert apart_mm < 0.5
    np.testing.assert_allclose(answered["pred_cam"][0], stored.camera, atol=0.02)


def test_joints_of_renders(model: Wilor) -> None:
    """On 64 hard renders: joints after alignment, and in the picture, no worse than the bounds it was shipped with."""
    truth = np.load(RENDERS / "truth.npz")
    outputs = [model(crop[None]) for crop in crops_of(RENDERS / "renders.jpg", len(truth["box_px"]))]
    points = np.concatenate([output["pred_keypoints_3d"] for output in outputs])
    cameras = np.concatenate([output["pred_cam"] for output in outputs])
    aligned_mm = [1e3 * aligned_error_m(p, t) for p, t in zip(points, truth["keypoints_m"], strict=True)]
    off_px = np.linalg.norm(projected(points, cameras) - truth["keypoints_px"], axis=2).mean(axis=1)
    in_box = 100 * off_px / truth["box_px"]
    print(f"aligned {np.mean(aligned_mm):.2f} mm, median {np.median(aligned_mm):.2f}")
    print(f"in the picture {in_box.mean():.2f} % of the box, median {np.median(in_box):.2f}")
    assert np.mean(aligned_mm) < ALIGNED_MM
    assert in_box.mean() < IN_BOX


@pytest.mark.parametrize("side", ["right", "left"])
def test_gestures_of_the_film(model: Wilor, side: str) -> None:
    """Every finger of a held gesture is about as straight as it is in truth; left hands through the mirror."""
    for gesture, straight in enumerate(GESTURES[side]):
        frame = [frame for frame in film() if frame.side == side][gesture * FRAMES_A_GESTURE + 1]
        points = points_of(model, frame)
        for name, first in FINGERS.items():
            if name != "thumb":
                shown = extension(frame.keypoints_from_wrist[first : first + 4])
                found = extension(points[first : first + 4])
                assert (shown > 0.93) == (name in straight)
                assert (found > STRAIGHT) == (name in straight), f"{side} gesture {gesture}: {name} reaches {found:.2f}"
                assert abs(found - shown) < BENT_ALIKE, f"{side} gesture {gesture}: {name} {found:.2f}, not {shown:.2f}"


def points_of(model: Wilor, frame: Frame) -> Floats:
    """(21, 3) key points of a frame, as the network sees it: a right hand."""
    pixels = make_crop(frame.picture, frame.box, frame.side).pixels
    points: Floats = model((pixels[:, ::-1] if frame.side == "left" else pixels)[None].copy())["pred_keypoints_3d"][0]
    return points


def extension(finger: Floats) -> float:
    """From knuckle to tip, in parts of the way along the bones: 1 for a straight finger."""
    bones = np.linalg.norm(np.diff(finger, axis=0), axis=1).sum()
    return float(np.linalg.norm(finger[-1] - finger[0]) / bones)


def crops_of(path: Path, count: int) -> Iterator[NDArray[np.uint8]]:
    """(256, 256, 3) crops; the renders are only their middle 192 columns, which is all that the network reads."""
    sheet = np.array(Image.open(path))
    for place in range(count):
        y, x = 256 * (place // COLUMNS), 192 * (place % COLUMNS)
        yield np.pad(sheet[y : y + 256, x : x + 192], ((0, 0), (32, 32), (0, 0)))


def projected(points: Floats, cameras: Floats) -> Floats:
    """(B, 21, 2) px in the crop: upstream's weak perspective camera."""
    depth = points[..., 2:] + 2 * 5000 / (256 * cameras[:, None, :1] + 1e-9)
    return np.asarray(5000 * (points[..., :2] + cameras[:, None, 1:]) / depth + 128)
