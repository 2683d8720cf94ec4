"""The drawn hands: there, where their boxes say, on the side they claim, and the same every time."""

import numpy as np
import numpy.typing as npt
import pytest

from wilor_sidecar.cli.demo_picture import DemoHand, demo_picture


def skin(image_rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Pixels that are clearly redder than blue and bright; the room has none."""
    red, blue = image_rgb[..., 0].astype(int), image_rgb[..., 2].astype(int)
    return np.asarray((red - blue > 40) & (red > 120))


def inside(mask: npt.NDArray[np.bool_], hand: DemoHand) -> npt.NDArray[np.bool_]:
    """The part of a mask that a hand's box cuts out."""
    x1, y1, x2, y2 = (round(edge) for edge in hand.box)
    return mask[max(y1, 0) : y2, max(x1, 0) : x2]


def test_same_arguments_same_picture() -> None:
    """The picture is drawn the same every time."""
    first, second = demo_picture(phase=0.3), demo_picture(phase=0.3)
    np.testing.assert_array_equal(first.image_rgb, second.image_rgb)
    assert first.hands == second.hands


@pytest.mark.parametrize(("width", "height"), [(64, 64), (640, 480), (480, 640), (1280, 720)])
def test_boxes_hold_the_hands(width: int, height: int) -> None:
    """At any size there is a left and a right hand, each box in the frame and around skin; no skin above the boxes."""
    picture = demo_picture(width, height)
    assert picture.image_rgb.shape == (height, width, 3)
    assert picture.image_rgb.dtype == np.uint8
    assert [hand.side for hand in picture.hands] == ["left", "right"]
    mask = skin(picture.image_rgb)
    for hand in picture.hands:
        x1, y1, x2, y2 = hand.box
        assert 0 <= x1 < x2 <= width
        assert 0 <= y1 < y2 <= height
        assert 0.25 < inside(mask, hand).mean() < 0.8
    top = round(min(hand.box[1] for hand in picture.hands)) - 1
    assert not mask[:top].any()


def test_boxes_are_tight() -> None:
    """Skin reaches to within a few pixels of each box's left, top and right edge."""
    picture = demo_picture()
    for hand in picture.hands:
        rows, columns = np.nonzero(inside(skin(picture.image_rgb), hand))
        width = hand.box[2] - hand.box[0]
        assert rows.min() < 8
        assert columns.min() < 8
        assert columns.max() > width - 8


@pytest.mark.parametrize(("index", "thumb_is_left"), [(0, False), (1, True)])
def test_thumbs_point_at_each_other(index: int, thumb_is_left: bool) -> None:
    """Seen from their backs, a right hand has its thumb on the left and a left hand on the right."""
    picture = demo_picture(phase=0.1)
    mask = inside(skin(picture.image_rgb), picture.hands[index])
    palm = mask[round(0.6 * len(mask)) : round(0.75 * len(mask))]  # below the fingers; the thumb is what sticks out
    columns = np.nonzero(palm.any(axis=0))[0]
    wrist = np.nonzero(mask[-3:].any(axis=0))[0]
    on_left, on_right = wrist.min() - columns.min(), columns.max() - wrist.max()
    assert (on_left > on_right) == thumb_is_left


def test_hands_move_gently_and_come_back() -> None:
    """A step of 0.02 moves each box by pixels, not by leaps; after a whole cycle the picture is the first one."""
    start, next_, cycle = (demo_picture(phase=phase) for phase in (0.0, 0.02, 1.0))
    steps = [np.abs(np.subtract(a.box, b.box)).max() for a, b in zip(start.hands, next_.hands, strict=True)]
    assert all(0 < step < 10 for step in steps)
    assert np.abs(start.image_rgb.astype(int) - cycle.image_rgb).max() <= 1


@pytest.mark.parametrize("phase", [0.0, 0.25, 0.5, 0.75])
def test_each_crop_shows_one_hand(phase: float) -> None:
    """The middle three quarters of a crop 2.5 times one box, which the network sees, miss the other box."""
    left, right = demo_picture(phase=phase).hands
    for hand, other_edge, towards in ((left, right.box[0], 1), (right, left.box[2], -1)):
        x1, y1, x2, y2 = hand.box
        reach = 2.5 * max(x2 - x1, y2 - y1) * 0.75 / 2
        assert towards * (other_edge - (x1 + x2) / 2) > reach


@pytest.mark.parametrize("size", [(63, 480), (640, 63)])
def test_too_small_a_picture_is_refused(size: tuple[int, int]) -> None:
    """A picture too small for hands is refused with its size."""
    with pytest.raises(ValueError, match=f"got {size[0]} x {size[1]}, expected at least 64 x 64"):
        demo_picture(*size)
