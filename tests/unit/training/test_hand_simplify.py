"""Collapsing, splitting and flipping edges: what is left is still a surface, and the wanted one."""

import numpy as np
import pytest
from numpy.typing import NDArray

from training.simplify import Surface

Floats = NDArray[np.float64]
_SIDE = 12


def _dome() -> tuple[Floats, NDArray[np.int64]]:
    """A square sheet of triangles lifted onto a unit sphere: open, with a rim of 4 * 12 edges."""
    x, z = (axis.ravel() for axis in np.meshgrid(*[np.linspace(-0.5, 0.5, _SIDE + 1)] * 2, indexing="ij"))
    at = np.arange(len(x)).reshape(_SIDE + 1, _SIDE + 1)
    a, b, c, d = (corner.ravel() for corner in (at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]))
    faces = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    return np.stack([x, np.sqrt(1 - x * x - z * z), z], axis=1), faces


def _surface() -> Surface:
    return Surface(*_dome(), lambda points: np.full(len(points), 0.1), lambda points: points)


def _counts(surface: Surface) -> tuple[int, int, int]:
    vertices, faces, _ = surface.arrays()
    return len(vertices), len(surface.edges()), len(faces)


@pytest.mark.parametrize("vertices", [169, 168, 100, 40])
def test_collapsing_reaches_the_count_and_keeps_a_disk(vertices: int) -> None:
    """At the start, one less, fewer, and few."""
    surface = _surface()
    surface.collapse_to(vertices, rim=12)
    v, e, f = _counts(surface)
    assert v == vertices
    assert v - e + f == 1
    assert len(surface.rim_loop()) == len(surface.rim) >= 12


def test_the_rim_is_collapsed_to_its_own_count() -> None:
    """The rim stays one loop."""
    surface = _surface()
    surface.collapse_rim_to(16)
    assert len(surface.rim_loop()) == len(surface.rim) == 16


def test_splitting_adds_a_vertex_each_time_and_keeps_the_surface() -> None:
    """Ten splits, ten vertices."""
    surface = _surface()
    surface.split_longest(10)
    v, e, f = _counts(surface)
    assert v == 169 + 10
    assert v - e + f == 1


def test_a_vertex_that_was_put_neither_moves_nor_goes() -> None:
    """Neither collapsing nor moving touches it."""
    surface = _surface()
    place = np.array([0.01, 1.0, 0.02])
    surface.put(84, place)
    surface.collapse_to(30, rim=12)
    surface.move(surface.arrays()[0] + 0.01)
    np.testing.assert_array_equal(surface.places[84], place)


def test_a_move_that_would_fold_triangles_is_refused() -> None:
    """The vertex stays where it was."""
    surface = _surface()
    before = surface.arrays()[0]
    moved = before.copy()
    moved[84] += (0.3, 0.0, 0.0)
    surface.move(moved)
    np.testing.assert_array_equal(surface.arrays()[0][84], before[84])


def test_flipping_mends_a_skewed_pair_of_triangles() -> None:
    """Of the two ways to cut a narrow kite, the short one is kept."""
    kite = np.array([[-0.5, 1, 0], [0, 1, -0.1], [0.5, 1, 0], [0, 1, 0.1]], np.float64)
    fan = np.array([[4, 0, 3], [4, 3, 2], [4, 2, 1], [4, 1, 0]])
    # the centre hangs at one side, so that its edge to the far end is the skewed one
    places = np.concatenate([kite, [[0.3, 1, 0.0]]])
    surface = Surface(
        places, fan, lambda points: np.ones(len(points)), lambda points: np.tile([0.0, 1, 0], (len(points), 1))
    )
    surface.flip()
    _, faces, _ = surface.arrays()
    assert len(faces) == 4
    assert _counts(surface)[0] - _counts(surface)[1] + len(faces) == 1


def test_the_same_sheet_gives_the_same_triangles() -> None:
    """Nothing depends on chance or on the order of a set."""

    def reduced() -> tuple[Floats, NDArray[np.int64]]:
        surface = _surface()
        surface.collapse_to(80, rim=16)
        surface.flip()
        return surface.arrays()[:2]

    for one, other in zip(reduced(), reduced(), strict=True):
        np.testing.assert_array_equal(one, other)
