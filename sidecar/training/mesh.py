"""The mesh that is served: 778 vertices on the skin of the mean hand at rest, open at the wrist.

The counts and the tips' numbers are MANO's, so that everything made for MANO fits. It knows no bones' motions.
"""

from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from training.hand import FINGER_BONES, WRIST, Floats, Hand, hand_of_shape
from training.simplify import Surface
from training.surface import onto_skin, outward, signed_distance
from wilor_sidecar.weights.layout import TIP_VERTICES, VERTICES

RIM = 16
"""Edges of the open rim: with 778 vertices, Euler's formula then gives MANO's 1538 triangles."""

_CUT_X_M = float(WRIST[0]) + 0.0103
_GRID_M = 0.002
_LOW = np.array([-0.12, -0.05, -0.08])
_HIGH = np.array([_CUT_X_M, 0.04, 0.12])
_SPLITS = (120, 120, 110, 100, 90, 80, 70, 60, 50, 40, 30, 20, 10, 0, 0, 0)
"""How many edges are split, and as many others collapsed, in each improving round."""


@dataclass(frozen=True)
class Mesh:
    """Triangles of the hand at rest.

    Attributes:
        vertices: (778, 3) m.
        faces: (1538, 3), counterclockwise seen from outside.
        rim: (16,) vertices of the open rim, in order.
    """

    vertices: Floats
    faces: NDArray[np.int64]
    rim: NDArray[np.int64]


def hand_mesh() -> Mesh:
    """Cut the mean hand's mesh from its implicit skin."""
    hand = hand_of_shape(np.zeros(10))
    places, faces = _fine_mesh(hand)
    surface = Surface(places, faces, partial(wanted_length, hand), partial(outward, hand.flesh))
    _reduce(surface)
    _even_rim(surface, hand)
    tips = _put_tips(surface, hand)
    _improve(surface, hand)
    return _numbered(surface, tips)


def wanted_length(hand: Hand, points: Floats) -> Floats:
    """How long edges shall be, relative to each other: short at tips and finger joints, long on palm and wrist."""
    bends = [hand.joints[first + bone] for first in FINGER_BONES.values() for bone in (1, 2)]
    from_tips, from_bends, from_webs = (_nearest(points, np.array(p)) for p in (hand.tips, bends, _webs(hand)))
    palm = rising(points[:, 0], -0.005, 0.035)
    length = 0.0072 + (0.0115 - 0.0072) * palm
    length = np.minimum(length, 0.0050 + 0.0030 * rising(from_tips, 0.006, 0.018))
    length = np.minimum(length, 0.0064 + 0.0020 * rising(from_bends, 0.008, 0.018))
    return np.minimum(length, 0.0058 + 0.0050 * rising(from_webs, 0.008, 0.025))


def _webs(hand: Hand) -> list[Floats]:
    """The middles between neighbouring fingers, where they part."""
    roots = []
    for finger in ("index", "middle", "ring", "little"):
        knuckle, bend = hand.joints[FINGER_BONES[finger] : FINGER_BONES[finger] + 2]
        roots.append(knuckle + 0.011 * (bend - knuckle) / np.linalg.norm(bend - knuckle))
    return [(one + other) / 2 for one, other in pairwise(roots)]


def _fine_mesh(hand: Hand) -> tuple[Floats, NDArray[np.int64]]:
    """Marching cubes; the grid's last plane is the cut through the wrist, and leaves the rim open."""
    # Here, because all else, reading the stored arrays included, does without scikit-image.
    from skimage.measure import marching_cubes  # noqa: PLC0415

    counts = np.ceil((_HIGH - _LOW) / _GRID_M).astype(int) + 1
    low = _HIGH - _GRID_M * (counts - 1)
    axes = [low[axis] + _GRID_M * np.arange(counts[axis]) for axis in range(3)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    distances = signed_distance(hand.flesh, grid.reshape(-1, 3)).reshape(grid.shape[:3])
    places, faces, _, _ = marching_cubes(distances, 0.0, spacing=(_GRID_M,) * 3)
    places, faces = places.astype(np.float64) + low, faces.astype(np.int64)
    corners = places[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    if (normals * outward(hand.flesh, corners.mean(axis=1))).sum() < 0:
        faces = faces[:, ::-1]
    return places, faces


def _put_tips(surface: Surface, hand: Hand) -> list[int]:
    """Move the vertex nearest to each tip onto the skin at the tip, for good; says which they are."""
    vertices, _, number = surface.arrays()
    old_number = list(number)
    tips = []
    for tip in onto_skin(hand.flesh, hand.tips):
        tips.append(old_number[int(np.linalg.norm(vertices - tip, axis=1).argmin())])
        surface.put(tips[-1], tip)
    return tips


def _reduce(surface: Surface) -> None:
    """Down to the wanted counts; the rim before the last steps, while there are triangles to choose from."""
    surface.collapse_to(3 * VERTICES, rim=RIM)
    surface.collapse_rim_to(RIM)
    surface.collapse_to(VERTICES, rim=RIM)


def _even_rim(surface: Surface, hand: Hand) -> None:
    """Space the rim's vertices evenly around the wrist, in the plane of the cut."""
    loop = surface.rim_loop()
    vertices, _, number = surface.arrays()
    middle = vertices[[number[v] for v in loop]].mean(axis=0)
    start = vertices[number[loop[0]]] - middle
    turn = vertices[number[loop[1]]] - middle
    way = float(np.sign(start[1] * turn[2] - start[2] * turn[1]))
    first = float(np.arctan2(start[2], start[1]))
    fine = _rim_curve(hand, middle, first + way * np.linspace(0, 2 * np.pi, 721))
    travelled = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(fine, axis=0), axis=1))])
    for step, vertex in enumerate(loop):
        at = travelled[-1] * step / len(loop)
        surface.put(vertex, np.array([np.interp(at, travelled, fine[:, axis]) for axis in range(3)]))


def _rim_curve(hand: Hand, middle: Floats, angles: Floats) -> Floats:
    """Where rays from the middle of the cut leave the skin, (A, 3)."""
    rays = np.stack([np.zeros_like(angles), np.cos(angles), np.sin(angles)], axis=1)
    near, far = np.zeros(len(angles)), np.full(len(angles), 0.06)
    for _ in range(40):
        half = (near + far) / 2
        inside = signed_distance(hand.flesh, middle + half[:, None] * rays) < 0
        near, far = np.where(inside, half, near), np.where(inside, far, half)
    curve: Floats = middle + near[:, None] * rays
    return curve


def _improve(surface: Surface, hand: Hand) -> None:
    """Split what is long, collapse what is short, flip what is skewed, relax along the skin; again and again."""
    for splits in _SPLITS:
        surface.split_longest(splits)
        surface.collapse_to(VERTICES, rim=RIM)
        surface.flip()
        for _ in range(4):
            _relax(surface, hand)
    # Where relaxing would have folded a triangle, vertices stayed where a split had put them: off the skin.
    for _ in range(3):
        surface.move(onto_skin(hand.flesh, surface.arrays()[0]))


def _relax(surface: Surface, hand: Hand) -> None:
    """Half-way to the mean of the neighbours, the farther ones counting more, then back to the skin."""
    vertices, faces, _ = surface.arrays()
    pairs = np.concatenate([faces[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2))])
    here, there = pairs.T
    lengths = np.linalg.norm(vertices[here] - vertices[there], axis=1)
    pull = lengths / wanted_length(hand, (vertices[here] + vertices[there]) / 2)
    total, mean = np.zeros(len(vertices)), np.zeros_like(vertices)
    np.add.at(total, here, pull)
    np.add.at(mean, here, pull[:, None] * vertices[there])
    step = 0.5 * (mean / total[:, None] - vertices)
    normals = outward(hand.flesh, vertices)
    step -= (step * normals).sum(axis=1, keepdims=True) * normals
    surface.move(onto_skin(hand.flesh, vertices + step, steps=3))


def _numbered(surface: Surface, tips: list[int]) -> Mesh:
    """Vertices in a spatial order, from the wrist to the fingertips, with the tips at MANO's numbers."""
    vertices, faces, number = surface.arrays()
    tips_now = [number[tip] for tip in tips]
    others = [v for v in np.argsort(-vertices[:, 0], kind="stable").tolist() if v not in tips_now]
    order = np.zeros(VERTICES, np.int64)
    order[list(TIP_VERTICES)] = tips_now
    order[[slot for slot in range(VERTICES) if slot not in TIP_VERTICES]] = others
    slot_of = np.argsort(order)
    rim = slot_of[[number[v] for v in surface.rim_loop()]]
    faces = slot_of[faces]
    return Mesh(vertices[order], faces[np.lexsort(faces.T[::-1])], rim)


def _nearest(points: Floats, targets: Floats) -> Floats:
    nearest: Floats = np.linalg.norm(points[:, None] - targets, axis=2).min(axis=1)
    return nearest


def rising(values: Floats, start: float, end: float) -> Floats:
    """Smoothly from 0 at `start` to 1 at `end`."""
    t = np.clip((values - start) / (end - start), 0, 1)
    rising: Floats = t * t * (3 - 2 * t)
    return rising
