"""The embedded hand in MANO's layout: its mesh is a hand's skin, its joints are the hand's, and it bends like one."""

from collections import Counter

import numpy as np
import pytest
from tests.unit.training.posed_hand import Floats, Indices, PosedHand, posed_flesh

from training.hand import FINGER_BONES, PARENTS, TIPS, Hand, hand_of_shape
from training.mano_arrays import mano_arrays, turned
from training.surface import onto_skin, outward, signed_distance
from wilor_sidecar.mlx import mx
from wilor_sidecar.model.mano import Mano
from wilor_sidecar.weights.layout import MANO_FLOAT_SHAPES, MANO_INDEX_SHAPES, TIP_VERTICES

_FOUR = [FINGER_BONES[finger] for finger in ("index", "middle", "ring", "little")]
_FIST = {13: 20.0, 14: 25.0, 15: 45.0} | {
    first + bone: (80.0, 95.0, 60.0)[bone] for first in _FOUR for bone in range(3)
}
_BENDS = {
    "knuckles": dict.fromkeys(_FOUR, 80.0),
    "middle joints": {first + 1: 90.0 for first in _FOUR},
    "thumb": {13: 30.0, 14: 50.0, 15: 70.0},
    "fist": _FIST,
}


def _bends(hand: Hand, degrees: dict[int, float]) -> Floats:
    """Rotations (16, 3, 3) that bend joints towards the palm."""
    rotations = np.tile(np.eye(3), (16, 1, 1))
    flesh = hand.flesh
    for joint, angle in degrees.items():
        capsule = int(np.flatnonzero((flesh.bones[:, 0] == joint) & (flesh.groups > 0))[0])
        axis = flesh.ends[capsule, 1] - flesh.ends[capsule, 0]
        # around this axis, a positive turn takes the back of the finger forwards, towards its tip
        sideways = np.cross(flesh.dorsal[capsule], axis)
        rotations[joint] = turned(sideways / np.linalg.norm(sideways), angle)
    return rotations


def _edges(faces: Indices) -> Counter[tuple[int, int]]:
    """How many triangles each edge has."""
    return Counter((min(a, b), max(a, b)) for f in faces.tolist() for a, b in zip(f, (*f[1:], f[0]), strict=True))


def _normals(vertices: Floats, faces: Indices) -> Floats:
    corners = vertices[faces]
    normals: Floats = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return normals


def test_every_array_has_its_place_in_a_weights_folder() -> None:
    """Names, shapes and dtypes are the layout's, and all numbers are finite."""
    arrays = mano_arrays()
    expected = {name.removeprefix("mano."): shape for name, shape in (MANO_FLOAT_SHAPES | MANO_INDEX_SHAPES).items()}
    assert {name: array.shape for name, array in arrays.items()} == expected
    for name, array in arrays.items():
        assert array.dtype == (np.float32 if f"mano.{name}" in MANO_FLOAT_SHAPES else np.int32), name
        assert np.isfinite(array).all(), name
    assert arrays["parents"].tolist() == list(PARENTS)


def test_the_mesh_is_a_disk_with_a_rim_of_sixteen_edges(posed_hand: PosedHand) -> None:
    """Euler's formula holds, every edge has one triangle or two, and those with one make a plane ring."""
    edges = _edges(posed_hand.faces)
    assert 778 - len(edges) + len(posed_hand.faces) == 1
    assert set(edges.values()) == {1, 2}
    rim = [edge for edge, count in edges.items() if count == 1]
    assert len(rim) == 16
    assert set(Counter(vertex for edge in rim for vertex in edge).values()) == {2}
    assert np.ptp(posed_hand.template[np.unique(rim), 0]) < 1e-6, "the rim lies in one plane"
    assert set(posed_hand.faces.ravel().tolist()) == set(range(778))


def test_neighbouring_triangles_are_wound_the_same_way(posed_hand: PosedHand) -> None:
    """No directed edge is walked twice."""
    directed = Counter((a, b) for f in posed_hand.faces.tolist() for a, b in zip(f, (*f[1:], f[0]), strict=True))
    assert max(directed.values()) == 1


def test_triangles_face_outwards_and_none_is_a_sliver(posed_hand: PosedHand, mean_hand: Hand) -> None:
    """Against the skin's normals at the corners; between the fingers, where they part, the skin turns sharply."""
    faces, vertices = posed_hand.faces, posed_hand.template
    normals = _normals(vertices, faces)
    areas = np.linalg.norm(normals, axis=1)
    out = outward(mean_hand.flesh, vertices)[faces].sum(axis=1)
    agreement = (normals * out).sum(axis=1) / areas / np.linalg.norm(out, axis=1)
    sides = ((vertices[faces] - vertices[faces[:, [1, 2, 0]]]) ** 2).sum(axis=(1, 2))
    shape = 2 * np.sqrt(3) * areas / sides
    print("agreement", np.sort(agreement)[:5], "shape", np.sort(shape)[:5])
    assert agreement.min() > 0
    assert np.mean(agreement > 0.7) > 0.99
    assert shape.min() > 0.5
    # a closed surface's signed volume, but for the opening: a hand's
    volume = (vertices[faces[:, 0]] * normals).sum() / 6
    assert 2.0e-4 < volume < 5.0e-4


def test_vertices_lie_on_the_skin_and_tips_are_tips(posed_hand: PosedHand, mean_hand: Hand) -> None:
    """The template within 50 um; the five numbered vertices at the tips of every shape."""
    assert np.abs(signed_distance(mean_hand.flesh, posed_hand.template)).max() < 5e-5
    for seed_betas in (np.zeros(10), *np.eye(10)):
        hand = hand_of_shape(seed_betas)
        tips = posed_hand.shaped(seed_betas)[list(TIP_VERTICES)]
        np.testing.assert_allclose(tips, onto_skin(hand.flesh, hand.tips), atol=1e-6)
        assert np.linalg.norm(tips - hand.tips, axis=1).max() < 0.003


def test_weights_are_shares_of_few_bones_and_of_one_finger(posed_hand: PosedHand) -> None:
    """Shares of at most four bones that sum to one; no vertex listens to two fingers."""
    weights = posed_hand.weights
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    assert (weights > 0).sum(axis=1).max() <= 4
    fingers = weights[:, 1:].reshape(-1, 5, 3).sum(axis=2)
    assert (fingers > 0).sum(axis=1).max() == 1


def test_a_bone_moves_what_is_near_it(posed_hand: PosedHand, mean_hand: Hand) -> None:
    """Its middle takes most of its motion from it, and what is 3 cm behind its joint nothing; tips are their bone's."""
    for tip, finger in zip(TIP_VERTICES, TIPS, strict=True):
        assert posed_hand.weights[tip, FINGER_BONES[finger] + 2] > 0.95
    for finger, first in FINGER_BONES.items():
        for bone in (first, first + 1):
            start, end = mean_hand.joints[bone], mean_hand.joints[bone + 1]
            length = np.linalg.norm(end - start)
            along = (posed_hand.template - start) @ (end - start) / length
            assert posed_hand.weights[along < -0.03, bone].max() == 0, finger
            near = np.argsort(np.linalg.norm(posed_hand.template - (start + end) / 2, axis=1))[:4]
            assert posed_hand.weights[near, bone].mean() > 0.6, finger


def test_weights_change_gently_along_edges(posed_hand: PosedHand) -> None:
    """No edge goes from one bone to another at once; the steepest are at the slender last joints."""
    a, b = np.array(list(_edges(posed_hand.faces))).T
    change = np.abs(posed_hand.weights[a] - posed_hand.weights[b]).max(axis=1)
    print("largest changes", np.sort(change)[-5:])
    assert np.percentile(change, 95) < 0.5
    assert change.max() < 0.92


def test_the_regressor_finds_the_joints_of_any_shape(posed_hand: PosedHand) -> None:
    """Below half a millimetre for one standard deviation, but for the thumb's base, deep in the flesh."""
    regressor = posed_hand.regressor
    assert regressor.min() >= 0
    np.testing.assert_allclose(regressor.sum(axis=1), 1, atol=1e-6)
    assert (regressor > 0).sum(axis=1).max() <= 40
    shapes = [np.zeros(10), *np.eye(10), *-np.eye(10)]
    found = np.array([regressor @ posed_hand.shaped(betas) for betas in shapes])
    errors_mm = 1e3 * np.linalg.norm(found - [hand_of_shape(betas).joints for betas in shapes], axis=2)
    print("largest of each joint, mm", errors_mm.max(axis=0).round(2))
    assert errors_mm[0].max() < 0.05
    assert np.delete(errors_mm, 13, axis=1).max() < 0.5
    assert errors_mm[:, 13].max() < 0.8


@pytest.mark.parametrize("beta", range(10))
def test_a_shape_number_carries_the_mesh_onto_the_changed_hands_skin(posed_hand: PosedHand, beta: int) -> None:
    """Exactly at one standard deviation, nearly at two and at minus two."""
    for amount, bound_m in ((1.0, 2e-4), (2.0, 6e-4), (-2.0, 8e-4)):
        betas = amount * np.eye(10)[beta]
        off = np.abs(signed_distance(hand_of_shape(betas).flesh, posed_hand.shaped(betas)))
        assert np.percentile(off, 99) < bound_m


def test_shapes_mean_what_the_hand_says(posed_hand: PosedHand) -> None:
    """The first number is the hand's size, the second its fingers' length, the third its thickness."""

    def extent(betas: Floats, axis: int) -> float:
        return float(np.ptp(posed_hand.shaped(betas)[:, axis]))

    zero, size, fingers, thickness = np.zeros(10), *np.eye(10)[:3]
    for axis in range(3):
        assert extent(size, axis) == pytest.approx(1.07 * extent(zero, axis), rel=0.01)
    longer = extent(fingers, 0) - extent(zero, 0)
    assert longer == pytest.approx(0.05 * 0.100, abs=5e-4)  # 5 % of the middle finger's 10 cm
    middle = posed_hand.weights[:, FINGER_BONES["middle"] + 1] > 0.9
    thin, thick = (float(np.ptp(posed_hand.shaped(betas)[middle, 1])) for betas in (zero, thickness))
    assert thick == pytest.approx(1.09 * thin, rel=0.01)


@pytest.mark.parametrize("name", list(_BENDS))
def test_a_bent_mesh_stays_on_the_bent_hands_skin(posed_hand: PosedHand, mean_hand: Hand, name: str) -> None:
    """On average within a third of a millimetre, the deepest fold within 4 mm; better than without corrections."""
    rotations = _bends(mean_hand, _BENDS[name])
    flesh = posed_flesh(mean_hand, rotations)
    off_mm, plain_mm = (
        1e3 * signed_distance(flesh, posed_hand.posed(rotations, corrected=corrected)) for corrected in (True, False)
    )
    print(f"{name}: mean {np.abs(off_mm).mean():.2f} (plain {np.abs(plain_mm).mean():.2f})", off_mm.min(), off_mm.max())
    assert np.abs(off_mm).mean() < 0.3
    assert np.abs(off_mm).mean() < 0.5 * np.abs(plain_mm).mean()
    assert off_mm.min() > -4
    assert off_mm.max() < 2


def test_a_fist_turns_few_triangles_inside_out(posed_hand: PosedHand, mean_hand: Hand) -> None:
    """Only in the folds on the inner side of the joints."""
    rotations = _bends(mean_hand, _FIST)
    vertices = posed_hand.posed(rotations)
    normals = _normals(vertices, posed_hand.faces)
    out = outward(posed_flesh(mean_hand, rotations), vertices)[posed_hand.faces].sum(axis=1)
    inside_out = (normals * out).sum(axis=1) < 0
    print("inside out:", inside_out.sum())
    assert inside_out.mean() < 0.03


def test_the_resting_pose_changes_nothing(posed_hand: PosedHand) -> None:
    """No rotation, no motion and no correction."""
    np.testing.assert_allclose(posed_hand.posed(np.tile(np.eye(3), (16, 1, 1))), posed_hand.template, atol=1e-7)


def test_the_daemons_own_hand_model_agrees(posed_hand: PosedHand, mean_hand: Hand) -> None:
    """The arrays go through `Mano` as they are, and come out where float64 puts them; tips are keypoints."""
    hand_model = Mano({f"mano.{name}": mx.array(array) for name, array in mano_arrays().items()})
    rotations = _bends(mean_hand, _FIST)
    vertices, keypoints = hand_model(mx.array(rotations[None].astype(np.float32)), mx.zeros((1, 10)))
    expected = posed_hand.posed(rotations)
    np.testing.assert_allclose(np.array(vertices)[0], expected, atol=1e-6)
    np.testing.assert_allclose(np.array(keypoints)[0, 4::4], expected[list(TIP_VERTICES)], atol=1e-6)


@pytest.mark.slow
def test_the_stored_arrays_are_what_the_code_makes() -> None:
    """Nothing by hand, nothing by chance. `python -m training.mano_arrays` stores anew."""
    pytest.importorskip("skimage")
    from training.mano_arrays import made_arrays  # noqa: PLC0415 - needs scikit-image, which only making needs

    stored, made = mano_arrays(), made_arrays()
    assert stored.keys() == made.keys()
    for name, array in stored.items():
        np.testing.assert_allclose(made[name], array, atol=1e-6, err_msg=name)
