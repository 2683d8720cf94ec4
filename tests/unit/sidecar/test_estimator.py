"""Crops in, hands out, with a network that is a pure function of the pixels it is shown."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from wilor_protocol.hands import Hand
from wilor_protocol.names import Side
from wilor_protocol.requests import EstimateRequest, HandCrop
from wilor_sidecar.estimator import BATCH_SIZES, Estimator, Frame, NotFiniteError

from .fakes import SHAPES, Crop, FakeNetwork, Outputs, crop_of, hand_of, outputs_of, request_of

MIRROR = np.diag([-1.0, 1.0, 1.0])
OTHER: dict[Side, Side] = {"left": "right", "right": "left"}
ARRAYS = ("keypoints", "vertices", "camera", "keypoints_2d", "translation")


def estimate(requests: Sequence[EstimateRequest], network: FakeNetwork | None = None) -> list[list[Hand]]:
    """The hands of all these requests in one batch; a frame that was refused fails the test."""
    answers = Estimator(network or FakeNetwork()).estimate([Frame.of_request(request) for request in requests])
    hands = []
    for answer in answers:
        assert not isinstance(answer, Exception)
        hands.append(answer)
    return hands


def estimate_one(hand: HandCrop, **request: Any) -> Hand:
    """The one hand of one frame."""
    [[answer]] = estimate([request_of([hand], **request)])
    return answer


def seen_by_the_network(crop: Crop) -> Outputs:
    """What the network says of these very pixels."""
    return {name: values[0] for name, values in outputs_of(crop[None]).items()}


def array(values: NDArray[np.float32] | None) -> NDArray[np.float64]:
    """An array that must be there."""
    assert values is not None
    assert values.dtype == np.float32
    return values.astype(np.float64)


def reflected_rotations(axis_angles: NDArray[Any]) -> NDArray[np.float64]:
    """The rotations of the mirror image: R becomes M R M."""
    matrices = Rotation.from_rotvec(axis_angles).as_matrix()
    return np.asarray(Rotation.from_matrix(MIRROR @ matrices @ MIRROR).as_rotvec())


def assert_same_hand(one: Hand, other: Hand) -> None:
    """Equal in every field, to the last bit."""
    assert (one.side, one.score, one.side_score, one.track) == (other.side, other.score, other.side_score, other.track)
    assert one.focal_px == other.focal_px
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    for name in ("global_orient", "hand_pose", "betas"):
        np.testing.assert_array_equal(getattr(one.mano, name), getattr(other.mano, name), err_msg=name)


def test_a_right_hand_comes_out_as_the_network_gives_it() -> None:
    """A right hand is shown to the network as it came, and no output is touched."""
    crop = crop_of(3)
    expected = seen_by_the_network(crop)
    hand = estimate_one(hand_of("right", crop))
    assert hand.side == "right"
    assert hand.mano is not None
    np.testing.assert_array_equal(array(hand.keypoints), expected["pred_keypoints_3d"])
    np.testing.assert_array_equal(array(hand.vertices), expected["pred_vertices"])
    np.testing.assert_array_equal(array(hand.camera), expected["pred_cam"])
    np.testing.assert_array_equal(array(hand.mano.global_orient), expected["global_orient"])
    np.testing.assert_array_equal(array(hand.mano.hand_pose), expected["hand_pose"])
    np.testing.assert_array_equal(array(hand.mano.betas), expected["betas"])


@pytest.fixture
def left() -> tuple[Hand, Outputs]:
    """A left hand's answer, and what the network says of its crop turned over by us, column by column."""
    crop = crop_of(4)
    turned = np.stack([crop[:, 255 - x] for x in range(256)], axis=1)
    return estimate_one(hand_of("left", crop)), seen_by_the_network(turned)


def test_a_left_hand_stays_a_left_hand(left: tuple[Hand, Outputs]) -> None:
    """The side that was asked comes back."""
    assert left[0].side == "left"


def test_a_left_hands_points_are_reflected_back(left: tuple[Hand, Outputs]) -> None:
    """Keypoints and vertices are the mirror image, in the plane x = 0, of what the network saw."""
    hand, seen = left
    np.testing.assert_allclose(array(hand.keypoints), seen["pred_keypoints_3d"] @ MIRROR, rtol=1e-6)
    np.testing.assert_allclose(array(hand.vertices), seen["pred_vertices"] @ MIRROR, rtol=1e-6)


def test_a_left_hands_rotations_are_reflected_back(left: tuple[Hand, Outputs]) -> None:
    """Every rotation R comes out as M R M."""
    hand, seen = left
    assert hand.mano is not None
    expected = reflected_rotations(seen["global_orient"])
    np.testing.assert_allclose(array(hand.mano.global_orient), expected, atol=1e-6)
    np.testing.assert_allclose(array(hand.mano.hand_pose), reflected_rotations(seen["hand_pose"]), atol=1e-6)


def test_a_left_hands_shape_has_no_side(left: tuple[Hand, Outputs]) -> None:
    """`betas` are passed on unchanged."""
    hand, seen = left
    assert hand.mano is not None
    np.testing.assert_array_equal(array(hand.mano.betas), seen["betas"])


def test_a_left_hands_camera_sees_it_where_it_is(left: tuple[Hand, Outputs]) -> None:
    """On the crop, the points fall on the mirror image of where the network saw them."""
    hand, seen = left
    scale, *offset = seen["pred_cam"].astype(np.float64)
    on_turned_crop = scale * (seen["pred_keypoints_3d"][:, :2] + offset)
    scale, *offset = array(hand.camera)
    on_crop = scale * (array(hand.keypoints)[:, :2] + offset)
    np.testing.assert_allclose(on_crop, on_turned_crop * (-1, 1), rtol=1e-5, atol=1e-7)


def test_the_detectors_words_are_passed_through() -> None:
    """Score, side score and track come back as they came, also None and 0."""
    said = HandCrop(crop=bytes(196_608), side="left", score=0.0, side_score=0.75, track=0)
    hand = estimate_one(said)
    assert (hand.side, hand.score, hand.side_score, hand.track) == ("left", 0.0, 0.75, 0)
    hand = estimate_one(hand_of())
    assert (hand.score, hand.side_score, hand.track) == (None, None, None)


@pytest.mark.parametrize("counts", [[1], [2], [1, 1], [3], [1, 2, 1], [5], [2, 3, 1], [8], [1] * 8, [4, 1, 2]])
def test_each_frame_gets_its_own_hands_in_order(counts: list[int]) -> None:
    """Frames of several hands share a batch, and every hand is what it would be if it came alone."""
    seeds = iter(range(100))
    sides: list[Side] = ["right", "left"]
    frames = [[hand_of(sides[(index + count) % 2], crop_of(next(seeds))) for index in range(count)] for count in counts]
    answers = estimate([request_of(hands) for hands in frames])
    assert [len(hands) for hands in answers] == counts
    for hands, crops in zip(answers, frames, strict=True):
        for hand, crop in zip(hands, crops, strict=True):
            assert_same_hand(hand, estimate_one(crop))


@pytest.mark.parametrize("crops", range(1, 9))
def test_a_batch_is_filled_up_to_a_compiled_size(crops: int) -> None:
    """The network is run once, at 1, 2, 4 or 8 crops, and nothing that fills a batch reaches anybody."""

    def spoilt_after_the_hands(shown: Crop) -> Outputs:
        outputs = outputs_of(shown)
        for values in outputs.values():
            values[crops:] = np.nan
        return outputs

    network = FakeNetwork(spoilt_after_the_hands)
    [hands] = estimate([request_of([hand_of(crop=crop_of(seed)) for seed in range(crops)])], network)
    assert network.batches == [min(size for size in (1, 2, 4, 8) if size >= crops)]
    assert len(hands) == crops


def test_the_network_is_shown_nothing_but_crops() -> None:
    """Whatever fills a batch is an image too: uint8, of a crop's size."""
    shown: list[Crop] = []

    def record(crops: Crop) -> Outputs:
        shown.append(crops)
        return outputs_of(crops)

    estimate([request_of([hand_of("left"), hand_of(), hand_of()])], FakeNetwork(record))
    assert shown[0].dtype == np.uint8
    assert shown[0].shape == (4, 256, 256, 3)


def test_the_largest_batch_takes_the_largest_request() -> None:
    """A frame of as many hands as a request may hold fits the largest batch."""
    assert BATCH_SIZES[-1] == 8


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", list(SHAPES))
def test_a_number_that_is_not_finite_refuses_its_frame_alone(name: str, value: float, side: Side) -> None:
    """One bad number in one of a frame's hands refuses that whole frame, by name, and no other."""

    def poisoned(crops: Crop) -> Outputs:
        outputs = outputs_of(crops)
        outputs[name][2].flat[-1] = value
        return outputs

    hands = [hand_of(side, crop_of(seed)) for seed in range(4)]
    frames = [Frame.of_request(request_of(some)) for some in ([hands[0]], hands[1:3], [hands[3]])]
    first, second, third = Estimator(poisoned).estimate(frames)
    assert isinstance(second, NotFiniteError)
    assert name in str(second)
    assert isinstance(first, list)
    assert isinstance(third, list)
    assert_same_hand(first[0], estimate_one(hands[0]))
    assert_same_hand(third[0], estimate_one(hands[3]))


BOXES = st.tuples(st.integers(-50, 700), st.integers(-50, 500), st.integers(1, 900))
LENSES = st.none() | st.tuples(st.integers(1, 900), st.integers(1, 900), st.integers(-9, 700), st.integers(-9, 500))


@settings(deadline=None, max_examples=40)
@given(
    sides=st.lists(st.sampled_from(["left", "right"]), min_size=1, max_size=3),
    box=st.none() | BOXES,
    intrinsics=LENSES,
    image_size=st.tuples(st.integers(1, 700), st.integers(1, 500)),
)
def test_a_mirrored_picture_is_answered_as_the_scene_it_shows(
    sides: list[Side],
    box: tuple[int, int, int] | None,
    intrinsics: tuple[int, int, int, int] | None,
    image_size: tuple[int, int],
) -> None:
    """A picture turned over, with sides exchanged and places reflected, gives the answer of the picture itself."""
    last_x = image_size[0] - 1
    plain = [hand_of(side, crop_of(seed), box) for seed, side in enumerate(sides)]
    turned_box = None if box is None else (last_x - box[0], box[1], box[2])
    turned = [hand_of(OTHER[side], crop_of(seed)[:, ::-1], turned_box) for seed, side in enumerate(sides)]
    turned_lens = None if intrinsics is None else (*intrinsics[:2], last_x - intrinsics[2], intrinsics[3])
    [expected, answer] = estimate(
        [
            request_of(plain, image_size=image_size, intrinsics=intrinsics),
            request_of(turned, image_size=image_size, intrinsics=turned_lens, mirrored=True),
        ]
    )
    assert [hand.side for hand in answer] == sides
    for one, other in zip(answer, expected, strict=True):
        assert_same_hand(one, other)


def test_a_mirrored_picture_needs_no_place() -> None:
    """Without box and image size a mirrored request still has its side and pixels exchanged."""
    crop = crop_of(8)
    answer = estimate_one(hand_of("left", crop), mirrored=True)
    assert_same_hand(answer, estimate_one(hand_of("right", crop[:, ::-1])))
