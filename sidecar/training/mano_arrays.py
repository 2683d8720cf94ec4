"""The embedded hand in MANO's array layout: the mesh of `mesh.py` with weights, shapes and joints from `hand.py`.

`python -m training.mano_arrays` makes the arrays, which takes a minute, and stores them; `mano_arrays` reads them.
The names are upstream's without `mano.` in front. It knows no network.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from training.hand import FINGER_BONES, PARENTS, TIPS, Flesh, Floats, Hand, hand_of_shape
from training.mesh import Mesh, hand_mesh, rising
from training.surface import capsule_distances, onto_skin
from wilor_sidecar.weights.layout import JOINTS, OPENPOSE_ORDER, POSE_BLEND, TIP_VERTICES, VERTICES

Array = NDArray[np.float32] | NDArray[np.int32]

STORED = Path(__file__).with_name("hand.npz")

_BETAS = 10
_FLESH_BLEND_M = 0.002  # how far a vertex looks for flesh beyond its nearest
_REGRESSED_FROM = 110  # vertices around a joint that may tell where it is; few of them do
_TEMPLATE_WEIGHT = 3.0  # the mean hand's joints count more than how they move with shape


def mano_arrays() -> dict[str, Array]:
    """The stored arrays, float32, m, and int32, with the shapes of `wilor_sidecar.weights.layout`."""
    with np.load(STORED) as stored:
        return {name: stored[name] for name in stored.files}


def made_arrays() -> dict[str, Array]:
    """Make the arrays from nothing but this package's code."""
    mesh = hand_mesh()
    weights = skin_weights(mesh)
    shapes = shape_directions(mesh)
    regressor = joint_regressor(mesh.vertices, shapes)
    floats = {
        "v_template": mesh.vertices,
        "shapedirs": shapes,
        "posedirs": pose_corrections(mesh.vertices, weights, regressor @ mesh.vertices),
        "J_regressor": regressor,
        "lbs_weights": weights,
    }
    indices = {
        "parents": PARENTS,
        "faces_tensor": mesh.faces,
        "extra_joints_idxs": TIP_VERTICES,
        "joint_map": OPENPOSE_ORDER,
    }
    arrays: dict[str, Array] = {name: array.astype(np.float32) for name, array in floats.items()}
    return arrays | {name: np.array(numbers, np.int32) for name, numbers in indices.items()}


# --- which bones move a vertex ---------------------------------------------------------------------------------------


def skin_weights(mesh: Mesh) -> Floats:
    """How much of each bone's motion each vertex takes, (778, 16); rows sum to one.

    A vertex belongs to the palm and at most one finger, and goes from bone to bone within about a radius of the joint.
    """
    hand = hand_of_shape(np.zeros(_BETAS))
    shares = _finger_shares(hand, mesh.vertices)
    weights = np.zeros((VERTICES, JOINTS))
    weights[:, 0] = 1 - shares.sum(axis=1)
    for finger, share in zip(TIPS, shares.T, strict=True):
        first = FINGER_BONES[finger]
        weights[:, first : first + 3] = share[:, None] * _along_finger(hand, finger, mesh.vertices)
    return _smoothed(weights, mesh.faces, times=2)


def _finger_shares(hand: Hand, points: Floats) -> Floats:
    """How much points belong to each finger instead of the palm, (P, 5) in the order of `TIPS`; to one at most."""
    shares = np.zeros((len(points), len(TIPS)))
    shares[:, 0] = _thumb_share(hand, points)
    lines = [_of_line(hand, finger, points) for finger in TIPS[1:]]
    starts = [hand.joints[FINGER_BONES[finger]] for finger in TIPS[1:]]
    distances = np.stack(
        [
            np.where(along > 0, away, np.linalg.norm(points - start, axis=1))
            for (along, away), start in zip(lines, starts, strict=True)
        ]
    )
    for finger, (along, _) in enumerate(lines):
        nearer_by = np.delete(distances, finger, axis=0).min(axis=0) - distances[finger]
        share = _root_share(along, nearer_by, _root_radius(hand, TIPS[finger + 1]))
        shares[:, finger + 1] = share * (1 - shares[:, 0])  # the thumb lies beside the index finger's line
    shares[np.arange(len(points))[:, None], np.argsort(shares, axis=1, kind="stable")[:, :-1]] = 0
    return shares


def _root_share(along: Floats, nearer_by: Floats, radius: float) -> Floats:
    """A finger takes over from the palm around the knuckle, and on the web from the middle between two fingers on."""
    past_knuckle = rising(along, -1.0 * radius, 0.9 * radius)
    web = radius * np.clip(1.0 - along / (1.7 * radius), 0.05, 1.0)
    return past_knuckle * rising(nearer_by / web, -0.35, 0.9)


def _thumb_share(hand: Hand, points: Floats) -> Floats:
    """The thumb's first bone lies in the palm: its pad and the web to the index finger go with it by degrees."""
    flesh = hand.flesh
    along, _ = _of_line(hand, "thumb", points)
    distances, _ = capsule_distances(flesh, points)
    of_thumb = np.isin(flesh.bones[:, 1], [FINGER_BONES["thumb"] + bone for bone in range(3)])
    nearer_by = distances[:, ~of_thumb].min(axis=1) - distances[:, of_thumb].min(axis=1)
    return rising(along, -0.016, 0.020) * rising(nearer_by, -0.008, 0.014)


def _along_finger(hand: Hand, finger: str, points: Floats) -> Floats:
    """How much of each of its three bones a finger's points take, (P, 3)."""
    along, _ = _of_line(hand, finger, points)
    first = FINGER_BONES[finger]
    lengths = np.linalg.norm(np.diff(hand.joints[first : first + 3], axis=0), axis=1)
    radii = hand.flesh.radii[np.flatnonzero(hand.flesh.groups == TIPS.index(finger) + 1), 0]
    past = [rising(along, at - radius, at + radius) for at, radius in zip(np.cumsum(lengths), radii[1:], strict=True)]
    return np.stack([1 - past[0], past[0] - past[1] * past[0], past[0] * past[1]], axis=1)


def _of_line(hand: Hand, finger: str, points: Floats) -> tuple[Floats, Floats]:
    """How far along a finger's straight line points are, from its first joint on, and how far from the line; m."""
    first = FINGER_BONES[finger]
    direction = hand.joints[first + 2] - hand.joints[first]
    direction = direction / np.linalg.norm(direction)
    along = (points - hand.joints[first]) @ direction
    return along, np.linalg.norm(points - hand.joints[first] - along[:, None] * direction, axis=1)


def _root_radius(hand: Hand, finger: str) -> float:
    return float(hand.flesh.radii[np.flatnonzero(hand.flesh.groups == TIPS.index(finger) + 1)[0], 0])


def _smoothed(weights: Floats, faces: NDArray[np.int64], times: int) -> Floats:
    """Each vertex half its own weights and half its neighbours', without bones of a second finger."""
    beside = np.zeros((len(weights), len(weights)))
    for a, b in ((0, 1), (1, 2), (2, 0)):
        beside[faces[:, a], faces[:, b]] = beside[faces[:, b], faces[:, a]] = 1
    beside /= beside.sum(axis=1, keepdims=True)
    fingers = weights[:, 1:].reshape(len(weights), 5, 3)
    owner = np.where(fingers.sum(axis=(1, 2)) > 0, fingers.sum(axis=2).argmax(axis=1), -1)
    for _ in range(times):
        weights = 0.5 * weights + 0.5 * beside @ weights
        kept = weights[:, 1:].reshape(-1, 5, 3)
        first_owner = np.where(owner < 0, kept.sum(axis=2).argmax(axis=1), owner)
        kept = kept * (np.arange(5) == first_owner[:, None])[..., None]
        kept[kept < 0.01] = 0
        palm = np.maximum(1 - kept.sum(axis=(1, 2)), 0)
        weights = np.concatenate([palm[:, None], kept.reshape(-1, 15)], axis=1)
        owner = np.where(kept.sum(axis=(1, 2)) > 0, first_owner, -1)
    return weights


# --- how a vertex moves with the hand's shape ------------------------------------------------------------------------


def shape_directions(mesh: Mesh) -> Floats:
    """How each vertex moves for each beta, (778, 3, 10), m for a beta of one.

    A vertex keeps its place on its flesh, then goes to the skin of the changed hand; tips stay tips.
    """
    rest = hand_of_shape(np.zeros(_BETAS))
    directions = np.zeros((VERTICES, 3, _BETAS))
    for beta in range(_BETAS):
        changed = hand_of_shape(np.eye(_BETAS)[beta])
        moved = onto_skin(changed.flesh, _carried(rest.flesh, changed.flesh, mesh.vertices))
        moved[list(TIP_VERTICES)] = onto_skin(changed.flesh, changed.tips)
        directions[:, :, beta] = moved - mesh.vertices
    return directions


def _carried(rest: Flesh, changed: Flesh, points: Floats) -> Floats:
    """Points (P, 3) carried from one flesh to another by the capsules near them."""
    distances, along = capsule_distances(rest, points)
    share = np.exp(-(distances - distances.min(axis=1, keepdims=True)) / _FLESH_BLEND_M)
    share /= share.sum(axis=1, keepdims=True)
    places, new_places = _on_axes(rest, along), _on_axes(changed, along)
    thicker = _radii_at(changed, along) / _radii_at(rest, along)
    carried: Floats = (share[..., None] * (new_places + thicker[..., None] * (points[:, None] - places))).sum(axis=1)
    return carried


def _on_axes(flesh: Flesh, along: Floats) -> Floats:
    """Places (P, N, 3) on the capsules' axes."""
    places: Floats = flesh.ends[:, 0] + along[..., None] * (flesh.ends[:, 1] - flesh.ends[:, 0])
    return places


def _radii_at(flesh: Flesh, along: Floats) -> Floats:
    radii: Floats = flesh.radii[:, 0] + along * (flesh.radii[:, 1] - flesh.radii[:, 0])
    return radii


# --- where the joints are --------------------------------------------------------------------------------------------


def joint_regressor(template: Floats, shapes: Floats) -> Floats:
    """Weights (16, 778), none negative, rows summing to one, that find the joints from the vertices of any shape."""
    rest = hand_of_shape(np.zeros(_BETAS)).joints
    joint_moves = np.stack([hand_of_shape(unit).joints - rest for unit in np.eye(_BETAS)], axis=2)
    regressor = np.zeros((JOINTS, VERTICES))
    for joint in range(JOINTS):
        near = np.argsort(np.linalg.norm(template - rest[joint], axis=1), kind="stable")[:_REGRESSED_FROM]
        # relative to the joint, so that the sum of one is the only thing that says where it is
        rows = np.concatenate(
            [
                _TEMPLATE_WEIGHT * (template[near] - rest[joint]).T,
                (shapes[near] - joint_moves[joint]).reshape(len(near), -1).T,
                np.full((1, len(near)), 1.0),
            ]
        )
        found, _ = nnls(rows, np.eye(len(rows))[-1])
        regressor[joint, near] = found / found.sum()
    return regressor


# --- corrections for bent joints -------------------------------------------------------------------------------------

_BENDS_DEGREES = (-20.0, 25.0, 50.0, 70.0, 90.0)
_TURN_DEGREES = 20.0
_LONGEST_CORRECTION_M = 0.004
_STIFFNESS = 0.02  # of the fit: small corrections where the poses do not ask for large ones


def pose_corrections(template: Floats, weights: Floats, joints: Floats) -> Floats:
    """What to add to the resting vertices so that bent joints keep their flesh, (135, 2334).

    A joint at a time: bend it, skin the mesh linearly, look how far it is from the skin of the bent flesh, and fit the
    difference as a linear function of the joint's rotation matrix.
    """
    flesh = hand_of_shape(np.zeros(_BETAS)).flesh
    corrections = np.zeros((POSE_BLEND, VERTICES * 3))
    for joint in range(1, JOINTS):
        below = [bone for bone in range(JOINTS) if joint in _ancestry(bone)]
        joint_weights = weights[:, below].sum(axis=1)
        features, wanted = [], []
        for turn in _sample_turns(flesh, joint):
            features.append((turn - np.eye(3)).ravel())
            bent = _bent(flesh, joints[joint], below, turn)
            wanted.append(_missing(template - joints[joint], joint_weights, turn, _moved(bent, -joints[joint])).ravel())
        x, y = np.array(features), np.array(wanted)
        corrections[9 * (joint - 1) : 9 * joint] = np.linalg.solve(x.T @ x + _STIFFNESS * np.eye(9), x.T @ y)
    return corrections


def _sample_turns(flesh: Flesh, joint: int) -> Iterator[Floats]:
    """Rotations of a joint: bends of several sizes, alone, with a sideways turn and with a twist."""
    capsule = int(np.flatnonzero((flesh.bones[:, 0] == joint) & (flesh.groups > 0))[0])
    axis = flesh.ends[capsule, 1] - flesh.ends[capsule, 0]
    axis, back = axis / np.linalg.norm(axis), flesh.dorsal[capsule]
    sideways = np.cross(axis, back)  # a positive turn around it bends towards the palm
    if np.cross(sideways, axis) @ back > 0:
        sideways = -sideways
    for bend in _BENDS_DEGREES:
        yield turned(sideways, bend)
        for turn in (-_TURN_DEGREES, _TURN_DEGREES):
            yield turned(sideways, bend) @ turned(back, turn)
            yield turned(sideways, bend) @ turned(axis, turn)


def _missing(vertices: Floats, weights: Floats, turn: Floats, bent: Flesh) -> Floats:
    """What one bend's vertices lack, in the resting hand's axes, (778, 3).

    Args:
        vertices: (778, 3) at rest, relative to the joint.
        weights: (778,) how much they go with it.
        turn: the joint's rotation.
        bent: the flesh after it, relative to the joint.
    """
    share = weights[:, None, None]
    motion = (1 - share) * np.eye(3) + share * turn
    skinned = (motion @ vertices[..., None])[..., 0]
    step = onto_skin(bent, skinned, steps=4, longest_m=_LONGEST_CORRECTION_M / 2) - skinned
    length = np.linalg.norm(step, axis=1, keepdims=True)
    step *= np.minimum(1, _LONGEST_CORRECTION_M / np.maximum(length, 1e-9))
    step *= _nearness(vertices)[:, None]
    # A blend of rotations shrinks, and its inverse grows without bounds: the mean rotation's transpose is enough.
    back: Floats = np.swapaxes(_nearest_rotations(motion), 1, 2) @ step[..., None]
    return back[..., 0]


def _bent(flesh: Flesh, joint: Floats, below: list[int], turn: Floats) -> Flesh:
    """The flesh after a joint's rotation."""
    moves = np.isin(flesh.bones, below)[..., None]
    return replace(flesh, ends=np.where(moves, (flesh.ends - joint) @ turn.T + joint, flesh.ends))


def _moved(flesh: Flesh, by: Floats) -> Flesh:
    return replace(flesh, ends=flesh.ends + by)


def _nearness(from_joint: Floats) -> Floats:
    """1 near a joint, 0 where its bends change nothing but whom the skin touches."""
    return 1 - rising(np.linalg.norm(from_joint, axis=1), 0.018, 0.034)


def _nearest_rotations(matrices: Floats) -> Floats:
    left, _, right = np.linalg.svd(matrices)
    rotations: Floats = left @ right
    return rotations


def _ancestry(bone: int) -> Iterator[int]:
    while bone >= 0:
        yield bone
        bone = PARENTS[bone]


def turned(axis: Floats, degrees: float) -> Floats:
    """The rotation (3, 3) around a unit axis (3,)."""
    angle = np.radians(degrees)
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    rotation: Floats = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return rotation


def main() -> None:
    """Make the arrays and store them."""
    np.savez_compressed(STORED, **made_arrays())  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
