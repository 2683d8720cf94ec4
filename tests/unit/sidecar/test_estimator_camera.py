"""Where a hand is in the whole image: against upstream's numbers, and against the geometry itself."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from wilor_protocol.hands import Hand
from wilor_protocol.names import Side
from wilor_sidecar.estimator import Estimator, Frame, NotFiniteError

from .fakes import Crop, Outputs, hand_of, outputs_of, request_of

Box = tuple[float, float, float]
Lens = tuple[float, float, float, float]

SQUARE: Lens = (700, 700, 331, 222)
SKEWED: Lens = (640, 910, 401.5, 133.25)


class Shows:
    """A network that says this of every crop."""

    def __init__(self, camera: tuple[float, float, float], points: NDArray[np.floating] | None = None) -> None:
        self.camera = camera
        self.points = np.zeros((21, 3)) if points is None else points

    def __call__(self, crops: Crop) -> Outputs:
        outputs = outputs_of(crops)
        outputs["pred_cam"][:] = self.camera
        outputs["pred_keypoints_3d"][:] = self.points
        return outputs


def place(network: Shows, box: Box | None, side: Side = "right", **request: Any) -> Hand:
    """The one hand of one frame."""
    [answer] = Estimator(network).estimate([Frame.of_request(request_of([hand_of(side, box=box)], **request))])
    assert isinstance(answer, list)
    return answer[0]


def points_of(hand: Hand) -> NDArray[np.float64]:
    """Its 2-D points, which must be there."""
    assert hand.keypoints_2d is not None
    assert hand.keypoints_2d.dtype == np.float32
    return hand.keypoints_2d.astype(np.float64)


def translation_of(hand: Hand) -> NDArray[np.float64]:
    """Its translation, which must be there."""
    assert hand.translation is not None
    assert hand.translation.dtype == np.float32
    return hand.translation.astype(np.float64)


def camera_of(hand: Hand) -> NDArray[np.float64]:
    """Its weak perspective, which must be there."""
    assert hand.camera is not None
    return hand.camera.astype(np.float64)


def on_the_crops_square(camera: NDArray[np.float64], box: Box) -> NDArray[np.float64]:
    """Where the crop's own weak perspective puts the hand's origin, px of the whole image.

    The crop spans -1 to 1, so s * tx is its place in half sides.
    """
    scale, tx, ty = camera
    centre_x, centre_y, side = box
    return np.array([centre_x + side / 2 * scale * tx, centre_y + side / 2 * scale * ty])


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_whole_image_place_is_upstreams(reference: Path, side: Side) -> None:
    """Translation, focal length and 2-D points are within 1e-4 of what upstream reckons for a photograph."""
    golden = np.load(reference / "frame" / "golden_frame.npz")
    index = int(np.flatnonzero(golden["is_right"] == (side == "right"))[0])
    camera, points = golden["pred_cam"][index].copy(), golden["pred_keypoints_3d"][index].copy()
    if side == "left":  # as the network, which sees right hands only, would have said it
        camera[1] *= -1
        points[:, 0] *= -1
    x1, y1, x2, y2 = map(float, golden["bboxes_xyxy"][index])
    box = ((x1 + x2) / 2, (y1 + y2) / 2, 2.5 * max(x2 - x1, y2 - y1))
    with Image.open(reference / "frame" / "photo.jpg") as photo:
        image_size = photo.size
    hand = place(Shows(tuple(camera), points), box, side, image_size=image_size)
    np.testing.assert_allclose(translation_of(hand), golden["pred_cam_t_full"][index], rtol=1e-4)
    assert hand.focal_px == pytest.approx(float(golden["scaled_focal_length"][index]), rel=1e-4)
    np.testing.assert_allclose(points_of(hand), golden["pred_keypoints_2d"][index], rtol=1e-4)
    np.testing.assert_allclose(camera_of(hand), golden["pred_cam"][index], rtol=1e-6)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("intrinsics", [None, SQUARE, SKEWED])
def test_the_hands_origin_lands_where_the_crop_has_it(intrinsics: Lens | None, side: Side) -> None:
    """A point at the hand's origin falls on the same pixel by either camera, whatever the lens."""
    network_camera, box = (0.9, 0.13, -0.07), (210.0, 333.0, 180.0)
    hand = place(Shows(network_camera), box, side, image_size=(640, 480), intrinsics=intrinsics)
    expected = on_the_crops_square(camera_of(hand), box)
    np.testing.assert_allclose(points_of(hand), np.tile(expected, (21, 1)), atol=1e-3)


@pytest.mark.parametrize("axis", [0, 1])
def test_the_two_cameras_agree_near_the_origin(axis: int) -> None:
    """A millimetre in the hand is as many pixels by the whole image's camera as by the crop's."""
    points = np.zeros((21, 3))
    points[1, axis] = 0.001
    scale, box = 0.9, (210.0, 333.0, 180.0)
    hand = place(Shows((scale, 0.13, -0.07), points), box, image_size=(640, 480), intrinsics=SQUARE)
    moved = points_of(hand)[1] - points_of(hand)[0]
    expected = np.zeros(2)
    expected[axis] = box[2] / 2 * scale * 0.001
    np.testing.assert_allclose(moved, expected, atol=1e-4)


def test_nearer_points_are_farther_from_the_principal_point() -> None:
    """Depth is away from the camera: a point a metre behind the origin shrinks towards the principal point."""
    points = np.zeros((21, 3))
    points[1, 2], points[2, 2] = 1.0, -1.0
    hand = place(Shows((0.9, 0.5, 0.5), points), (500, 400, 180), image_size=(640, 480), intrinsics=SQUARE)
    at, behind, before = (np.hypot(*(points_of(hand)[i] - SQUARE[2:])) for i in range(3))
    assert behind < at < before


@pytest.mark.parametrize("intrinsics", [SQUARE, SKEWED])
def test_translation_and_focal_length_reproject_the_points(intrinsics: Lens) -> None:
    """The 2-D points are the pinhole's picture of keypoints + translation, with fx and fy as they were given."""
    points = np.random.default_rng(5).normal(scale=0.08, size=(21, 3))
    hand = place(Shows((0.8, 0.2, 0.1), points), (100, 50, 300), image_size=(640, 480), intrinsics=intrinsics)
    fx, fy, cx, cy = intrinsics
    assert hand.keypoints is not None
    x, y, z = (hand.keypoints + translation_of(hand)).T
    np.testing.assert_allclose(points_of(hand), np.stack([fx * x / z + cx, fy * y / z + cy], axis=1), rtol=1e-5)
    assert hand.focal_px == fx


@pytest.mark.parametrize(("side_px", "scale"), [(180, 0.9), (90, 0.9), (180, 1.8)])
def test_depth_is_that_of_a_hand_of_its_size(side_px: float, scale: float) -> None:
    """Two metres at the translation's depth are `side * scale` pixels wide."""
    hand = place(Shows((scale, 0, 0)), (320, 240, side_px), image_size=(640, 480), intrinsics=SQUARE)
    assert 2 * SQUARE[0] / translation_of(hand)[2] == pytest.approx(side_px * scale, rel=1e-6)


@pytest.mark.parametrize("image_size", [(640, 480), (480, 640)])
def test_without_intrinsics_the_lens_is_guessed_from_the_longer_side(image_size: tuple[int, int]) -> None:
    """The focal length is 5000 / 256 of the longer side, and the axis goes through the middle."""
    middle = (image_size[0] / 2, image_size[1] / 2)
    hand = place(Shows((0.9, 0, 0)), (*middle, 100), image_size=image_size)
    assert hand.focal_px == 12_500
    np.testing.assert_allclose(translation_of(hand)[:2], 0, atol=1e-6)


@pytest.mark.parametrize(
    ("box", "image_size", "intrinsics"),
    [
        pytest.param(None, (640, 480), None, id="no box"),
        pytest.param(None, (640, 480), SQUARE, id="no box, a lens"),
        pytest.param((320, 240, 100), None, None, id="no image size"),
        pytest.param((320, 240, 100), None, SQUARE, id="no image size, a lens"),
        pytest.param(None, None, None, id="neither"),
    ],
)
def test_without_box_or_image_size_a_hand_has_no_place(
    box: Box | None, image_size: tuple[int, int] | None, intrinsics: Lens | None
) -> None:
    """What cannot be known is absent, not zero; the rest of the hand is there."""
    hand = place(Shows((0.9, 0, 0)), box, image_size=image_size, intrinsics=intrinsics)
    assert (hand.keypoints_2d, hand.translation, hand.focal_px) == (None, None, None)
    assert hand.camera is not None


def test_hands_of_one_frame_have_places_of_their_own() -> None:
    """Each hand's place comes from its own box; one without a box has none."""
    boxes: list[Box | None] = [(100, 100, 80), None, (500, 300, 160)]
    request = request_of([hand_of(box=box) for box in boxes], image_size=(640, 480))
    [hands] = Estimator(Shows((0.9, 0, 0))).estimate([Frame.of_request(request)])
    assert isinstance(hands, list)
    np.testing.assert_allclose(points_of(hands[0])[0], (100, 100), atol=1e-3)
    assert hands[1].keypoints_2d is None
    np.testing.assert_allclose(points_of(hands[2])[0], (500, 300), atol=1e-3)


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_a_place_beyond_float32_is_refused() -> None:
    """A network's finite numbers whose place would reach the client as infinity refuse their frame."""
    request = request_of([hand_of(box=(320, 240, 100))], image_size=(640, 480))
    [refused] = Estimator(Shows((0.9, 3e38, 0.1))).estimate([Frame.of_request(request)])
    assert isinstance(refused, NotFiniteError)


@pytest.mark.parametrize(
    ("box", "intrinsics"),
    [
        pytest.param((1e41, 0, 100), None, id="box"),
        pytest.param((320, 240, 100), (1e300, 1e300, 320, 240), id="focal length"),
        pytest.param((320, 240, 100), (500, 500, 1e39, 240), id="principal point"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_a_box_or_lens_beyond_all_pictures_is_refused(box: Box, intrinsics: Lens | None) -> None:
    """Numbers of the client's own that lead to infinity are refused: by the request, or by the estimate."""
    with pytest.raises((ValueError, NotFiniteError)):
        raise_if_refused(Shows((0.9, 0.1, 0.1)), box, intrinsics)


def raise_if_refused(network: Shows, box: Box, intrinsics: Lens | None) -> None:
    """Make the request, estimate its frame, and raise whatever stands in the hands' place."""
    request = request_of([hand_of(box=box)], image_size=(640, 480), intrinsics=intrinsics)
    [answer] = Estimator(network).estimate([Frame.of_request(request)])
    if isinstance(answer, NotFiniteError):
        raise answer
