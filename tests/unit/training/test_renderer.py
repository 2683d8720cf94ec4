"""The renderer draws what the geometry says; seen through the kernel compiled for the CPU."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from training import cpu_harness
from training.hand import FINGER_BONES, FOREARM, PARENTS, hand_of_shape
from training.render_layout import HAND_FIELDS, LOOKS, PROP_FLOATS, PROPS, place

pytestmark = pytest.mark.skipif(cpu_harness.compiler() is None, reason="no C++ compiler to build the kernel with")

Floats = NDArray[np.float64]
HEIGHT, WIDTH = 128, 96
SIDE = 0.6
COVER, MASK, DEPTH, SHADE = 3, 4, 5, 6
PALM_TO_CAMERA = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])  # fingers up
TURNED = np.diag([-1.0, 1.0, -1.0])
UNTURNED = np.eye(3)
LONG_THUMB = (0.1, -1.6, -0.4, 0.9, 1.3, 0.3, 0.7, 2.2, 0.3, -0.3)
FIST = (1.0, 1.0, 1.0, 1.0)
OPEN = (0.0, 0.0, 0.0, 0.0)


def look(**changes: float) -> NDArray[np.float32]:
    """Plain, bare skin of a middling tone, lit from the camera; both hands alike."""
    row = np.zeros(LOOKS, np.float32)
    scene = {"key_z": -1.0, "key_r": 0.6, "key_g": 0.6, "key_b": 0.6, "fill_z": -1.0, "up_y": -1.0, "occlusion": 0.8}
    scene |= {f"{name}_{part}": 0.4 for name in ("sky", "ground") for part in "rgb"}
    scene |= {"shadow": 0.7, "shadow_sharpness": 12.0}
    skin = {"melanin": 0.4, "blood": 0.2, "palm_melanin": 0.5, "gloss": 12.0, "specular": 0.02, "texture_scale": 700.0}
    skin |= {"sleeve_start": 2.0, "band_at": -9.0, "band_width": 0.01, "stripe_period": 0.01, "nail_pale": 0.4}
    for name, value in {**scene, **skin, **changes}.items():
        for hand in (0, 1) if name in HAND_FIELDS else (0,):
            row[place(name, hand)] = value
    return row


def turn_about_z(degrees: float) -> Floats:
    """A rotation about MANO's z, which bends fingers."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


def posed(
    bends: tuple[float, ...],
    turn: Floats,
    distance_m: float = 0.5,
    thumb: Floats = UNTURNED,
    betas: tuple[float, ...] = (0.0,) * 10,
) -> tuple[NDArray[np.float32], Floats]:
    """Capsules (1, N, 12) and the joints and tips (21, 3) of a hand, bent, turned, before the camera."""
    hand = hand_of_shape(np.array(betas))
    turns, places = [turn], [np.array([0.0, 0.09, distance_m])]
    joints = np.concatenate([hand.joints, hand.joints[:1]])
    for bone in range(1, FOREARM + 1):
        parent = PARENTS[bone] if bone < FOREARM else 0
        own = thumb if bone == FINGER_BONES["thumb"] else UNTURNED
        for finger, bend in zip(("index", "middle", "ring", "little"), bends, strict=True):
            if FINGER_BONES[finger] <= bone < FINGER_BONES[finger] + 3:
                own = turn_about_z(75 * bend)
        turns.append(turns[parent] @ own)
        places.append(places[parent] + turns[parent] @ (joints[bone] - joints[parent]))

    def carried(points: Floats, bones: NDArray[np.int64]) -> Floats:
        return np.stack([places[b] + turns[b] @ (p - joints[b]) for p, b in zip(points, bones, strict=True)])

    flesh = hand.flesh
    a, b = (carried(flesh.ends[:, end], flesh.bones[:, end]) for end in (0, 1))
    dorsal = np.stack([turns[bone] @ d for bone, d in zip(flesh.bones[:, 1], flesh.dorsal, strict=True)])
    columns = [a, flesh.radii[:, :1], b, flesh.radii[:, 1:], dorsal, flesh.nails[:, None]]
    tips = carried(hand.tips, np.array([15, 3, 6, 12, 9]))
    return np.concatenate(columns, 1)[None].astype(np.float32), np.concatenate([places[:16], tips])


def drawn(
    capsules: NDArray[np.float32],
    other: NDArray[np.float32] | None = None,
    props: Floats | None = None,
    row: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """(CHANNELS, H, W) of one picture through a window `SIDE` metres wide at a metre."""
    return cpu_harness.render(
        capsules,
        hand_of_shape(np.zeros(10)).flesh.groups.astype(np.int32),
        np.zeros_like(capsules) if other is None else other,
        (look() if row is None else row)[None],
        np.array([[0.0, 0.0, SIDE]], np.float32),
        np.zeros((1, PROPS, PROP_FLOATS), np.float32) if props is None else props.astype(np.float32),
        HEIGHT,
        WIDTH,
    )[0]


def pixel_of(point: Floats) -> tuple[int, int]:
    """Row and column where a point of camera space is seen."""
    x, y = point[:2] / point[2] / SIDE
    return int((y + 0.5) * HEIGHT), int((x * 256 + 96) / 192 * WIDTH)


def lone_ball(centre: tuple[float, float, float], radius: float) -> NDArray[np.float32]:
    """A hand whose only flesh is one ball."""
    capsules, _ = posed(OPEN, PALM_TO_CAMERA)
    capsules[..., [3, 7]] = -1.0
    capsules[0, 0, :8] = [*centre, radius, *centre, radius]
    capsules[0, 0, 4] += 1e-4
    return capsules


def test_a_ball_is_drawn_where_its_projection_lies() -> None:
    """Centre and width of the silhouette follow from the pinhole camera."""
    mask = drawn(lone_ball((0.04, -0.03, 0.5), 0.02))[MASK] > 0.5
    rows, columns = np.nonzero(mask)
    assert (rows.mean(), columns.mean()) == pytest.approx(pixel_of(np.array([0.04, -0.03, 0.5])), abs=1.0)
    assert np.ptp(columns) + 1 == pytest.approx(0.04 / 0.5 / SIDE * HEIGHT, abs=1.6)


@pytest.mark.parametrize("bends", [OPEN, FIST, (0.0, 1.0, 1.0, 1.0)])
@pytest.mark.parametrize("turn", [PALM_TO_CAMERA, TURNED @ PALM_TO_CAMERA])
def test_key_points_lie_in_the_mask(bends: tuple[float, ...], turn: Floats) -> None:
    """Joints are inside the flesh, so wherever they are seen there is hand."""
    capsules, points = posed(bends, turn)
    mask = drawn(capsules)[MASK]
    assert all(mask[pixel_of(point)] > 0.5 for point in points)


@pytest.mark.parametrize("abduction", [20.0, 30.0, 40.0])
@pytest.mark.parametrize("turned_by", [-40.0, -20.0, 0.0])
def test_a_thumb_spread_wide_is_joined_to_the_palm_by_skin(abduction: float, turned_by: float) -> None:
    """Nowhere is the background seen through a hand whose fingers touch nothing."""
    thumb = Rotation.from_rotvec([abduction, 10.0, 6.0], degrees=True).as_matrix()
    view = Rotation.from_euler("y", turned_by, degrees=True).as_matrix() @ PALM_TO_CAMERA
    capsules, _ = posed(OPEN, view, 0.4, thumb, LONG_THUMB)
    empty = (drawn(capsules)[MASK] < 0.5).astype(np.uint8)
    parts, _ = cv2.connectedComponents(np.pad(empty, 1, constant_values=1), connectivity=4)
    assert parts == 2, "the hand, and one background around it"


def test_the_nearer_hand_hides_the_farther_and_only_the_target_is_masked() -> None:
    """A second hand in front takes the mask away, one behind leaves it."""
    near, _ = posed(OPEN, PALM_TO_CAMERA, 0.45)
    far, _ = posed(OPEN, PALM_TO_CAMERA, 0.6)
    alone = drawn(near)
    # A ray that just misses the near hand may hit the far one: edges may differ.
    assert ((drawn(near, far)[MASK] > 0.5) != (alone[MASK] > 0.5)).sum() < 0.1 * (alone[MASK] > 0.5).sum()
    assert (drawn(far, near)[MASK] > 0.5).sum() < 0.2 * (drawn(far)[MASK] > 0.5).sum()
    assert ((drawn(far, near)[COVER] > 0.5) >= (drawn(far)[COVER] > 0.5)).all()


def test_an_absent_second_hand_changes_nothing() -> None:
    """Radii below zero mean that there is none."""
    hand, _ = posed(OPEN, PALM_TO_CAMERA)
    absent = hand.copy()
    absent[..., [3, 7]] = -1.0
    assert np.array_equal(drawn(hand, absent), drawn(hand))


def test_the_palm_is_paler_than_the_back() -> None:
    """Dark skin has little melanin on the palm."""
    colours = []
    for turn in (PALM_TO_CAMERA, TURNED @ PALM_TO_CAMERA):
        picture = drawn(posed(OPEN, turn)[0], row=look(melanin=0.9, palm_melanin=0.35))
        colours.append(picture[:3, picture[MASK] > 0.5].mean(axis=1))
    assert (colours[0] > 1.3 * colours[1]).all()


@pytest.mark.parametrize(("name", "seen", "unseen"), [("crease", 0, 1), ("wrinkle", 1, 0), ("polish", 1, 0)])
def test_each_side_has_its_own_marks(name: str, seen: int, unseen: int) -> None:
    """Creases are on the palm; wrinkles and nails on the back."""
    changed = []
    for turn in (PALM_TO_CAMERA, TURNED @ PALM_TO_CAMERA):
        hand, _ = posed(OPEN, turn)
        changed.append(np.abs(drawn(hand, row=look(**{name: 1.0}))[:3] - drawn(hand)[:3]).sum())
    assert changed[seen] > 3 * changed[unseen]


def test_an_object_before_the_hand_hides_it() -> None:
    """The mask is of the visible hand only."""
    hand, points = posed(OPEN, PALM_TO_CAMERA)
    props = np.zeros((1, PROPS, PROP_FLOATS))
    props[0, 0] = [0, 0, 0.35, 1, 0, 0, 0, 1, 0, 0.02, 0.02, 0.01, 0, 0.1, 0.2, 0.3]
    picture = drawn(hand, props=props)
    middle = pixel_of(np.array([0, 0, 0.35]))
    assert picture[MASK][middle] == 0
    assert picture[COVER][middle] == 1
    assert picture[DEPTH][middle] == pytest.approx(0.34, abs=0.001)
    assert picture[MASK][pixel_of(points[18])] > 0.5


def test_a_surface_behind_the_hand_gets_its_shadow() -> None:
    """Only where there is such a surface, and not far from the hand's shadow."""
    hand, _ = posed(OPEN, PALM_TO_CAMERA)
    slanted = {"key_x": 0.6, "key_z": -0.8, "plane_z": -1.0, "plane_d": -0.53, "plane_shadow": 0.8}
    shade = drawn(hand, row=look(plane_on=1.0, **slanted))[SHADE]
    assert (drawn(hand, row=look(plane_on=0.0, **slanted))[SHADE] == 1).all()
    assert shade.min() < 0.5
    assert shade[:, -1].min() > 0.95


def test_the_same_input_gives_the_same_picture() -> None:
    """Bit by bit."""
    hand, _ = posed(FIST, PALM_TO_CAMERA)
    rough = look(texture=0.4, blotch=0.5)
    assert np.array_equal(drawn(hand, row=rough), drawn(hand, row=rough))


def test_pictures_are_finite_pixels_of_a_crop() -> None:
    """From capsules to what a network reads."""
    torch = pytest.importorskip("torch", reason="training needs torch")
    from training import renderer  # noqa: PLC0415

    torch.manual_seed(0)
    hand, _ = posed(OPEN, PALM_TO_CAMERA)
    capsules = torch.from_numpy(hand).repeat(4, 1, 1)
    groups = torch.from_numpy(hand_of_shape(np.zeros(10)).flesh.groups).int()
    taken = renderer.pictures(capsules, groups, torch.tensor([[0.0, 0, 0.5]] * 4), None, 1.0, backdrops=8)
    pixels = taken.pictures
    assert pixels.shape == (4, 3, 256, 192)
    assert pixels.isfinite().all()
    assert pixels.min() >= 0
    assert pixels.max() <= 255
    assert (pixels.std(dim=(1, 2, 3)) > 2).all()
