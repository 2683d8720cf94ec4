"""The skin around a hand's flesh: an implicit surface, negative inside, zero on the skin.

Capsules of one group melt together, each finger melts into the palm, and two fingers never melt into each other. The
renderer of the training pictures follows the same definition; this is the reference, in numpy. It knows no triangles.
"""

from collections.abc import Callable

import numpy as np

from training.hand import PALM, Flesh, Floats

PALM_BLEND_M = 0.009
FINGER_BLEND_M = 0.0035
ROOT_BLEND_M = 0.006
"""How far two surfaces reach out to each other: within the palm, within a finger, and from a finger to the palm."""

_CHUNK = 1 << 16  # points at a time: a few tens of megabytes of distances
_STEP_M = 1e-4
_TETRAHEDRON = np.array([[1.0, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]])


def blended(a: Floats, b: Floats, reach_m: float) -> Floats:
    """Polynomial smooth minimum of two distances: never above either, at most `reach_m` / 4 below."""
    overlap: Floats = np.maximum(reach_m - np.abs(a - b), 0) / reach_m
    joined: Floats = np.minimum(a, b) - overlap * overlap * reach_m / 4
    return joined


def capsule_distances(flesh: Flesh, points: Floats) -> tuple[Floats, Floats]:
    """How far points are from each capsule, and where along it.

    Args:
        flesh: N capsules.
        points: (P, 3) m.

    Returns:
        Signed distances (P, N), m, and the nearest places along the axes (P, N), 0 to 1.
    """
    start, axis = flesh.ends[:, 0], flesh.ends[:, 1] - flesh.ends[:, 0]
    from_start = points[:, None] - start
    along = np.clip(np.einsum("pni,ni->pn", from_start, axis) / (axis * axis).sum(axis=1), 0, 1)
    away = np.linalg.norm(from_start - along[..., None] * axis, axis=2)
    radii = flesh.radii[:, 0] + along * (flesh.radii[:, 1] - flesh.radii[:, 0])
    return away - radii, along


def signed_distance(flesh: Flesh, points: Floats) -> Floats:
    """About how far points (P, 3) are outside of the skin, (P,) m; negative inside."""
    chunks = [points[first : first + _CHUNK] for first in range(0, len(points), _CHUNK)]
    return np.concatenate([_signed_distance(flesh, chunk) for chunk in chunks]) if chunks else np.zeros(0)


def outward(flesh: Flesh, points: Floats) -> Floats:
    """Unit directions (P, 3) in which the distance grows fastest."""
    return _unit(_slope(lambda places: signed_distance(flesh, places), points))


def onto_skin(flesh: Flesh, points: Floats, steps: int = 6, longest_m: float = 0.004) -> Floats:
    """Move points (P, 3) to the skin along the distance's slope, at most `longest_m` in each step."""
    moved = points
    for _ in range(steps):
        slope = _slope(lambda places: signed_distance(flesh, places), moved)
        # Where surfaces melt together the slope is below one: Newton's step divides by it, within reason.
        steepness = np.maximum((slope * slope).sum(axis=1), 0.25)
        step = np.clip(signed_distance(flesh, moved) / steepness, -longest_m, longest_m)
        moved = moved - step[:, None] * slope
    return moved


def _signed_distance(flesh: Flesh, points: Floats) -> Floats:
    distances, _ = capsule_distances(flesh, points)
    of_group: dict[int, Floats] = {}
    for capsule, group in enumerate(flesh.groups.tolist()):
        reach = PALM_BLEND_M if group == PALM else FINGER_BLEND_M
        distance = distances[:, capsule]
        of_group[group] = blended(of_group[group], distance, reach) if group in of_group else distance
    palm = of_group.pop(PALM)
    nearest = palm
    for finger in of_group.values():
        nearest = np.minimum(nearest, blended(palm, finger, ROOT_BLEND_M))
    return nearest


def _slope(distance: Callable[[Floats], Floats], points: Floats) -> Floats:
    """The gradient from four samples around each point."""
    around = points[:, None] + _STEP_M * _TETRAHEDRON
    samples = distance(around.reshape(-1, 3)).reshape(-1, 4)
    slope: Floats = samples @ _TETRAHEDRON / (4 * _STEP_M)
    return slope


def _unit(vectors: Floats) -> Floats:
    unit: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    return unit
