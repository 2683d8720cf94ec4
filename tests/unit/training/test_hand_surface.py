"""The implicit skin: distances, what melts together and what does not, and the way onto it."""

import numpy as np
import pytest

from training.hand import Flesh, Hand
from training.surface import blended, onto_skin, outward, signed_distance


def _capsules(groups: list[int], offsets_m: list[float]) -> Flesh:
    """Parallel capsules along x, 2 cm long, 1 cm thick, side by side along z."""
    ends = np.array([[[0, 0, z], [0.02, 0, z]] for z in offsets_m])
    count = len(groups)
    return Flesh(
        bones=np.zeros((count, 2), np.int64),
        ends=ends,
        radii=np.full((count, 2), 0.01),
        groups=np.array([0, *groups]) if 0 not in groups else np.array(groups),
        dorsal=np.tile([0.0, 1.0, 0.0], (count, 1)),
        nails=np.zeros(count, np.bool_),
    )


def test_a_single_capsule_has_its_exact_distance() -> None:
    """Beside it, beyond its end and within it."""
    points = np.array([[0.01, 0.03, 0.0], [0.05, 0.0, 0.0], [0.01, 0.0, 0.0]])
    np.testing.assert_allclose(signed_distance(_capsules([0], [0.0]), points), [0.02, 0.02, -0.01], atol=1e-12)


def test_the_smooth_minimum_fills_a_quarter_of_its_reach() -> None:
    """Where both are equal; nothing where they are farther apart than the reach."""
    assert blended(np.zeros(1), np.zeros(1), 0.008)[0] == pytest.approx(-0.002)
    assert blended(np.zeros(1), np.array([0.008]), 0.008)[0] == 0


@pytest.mark.parametrize(("groups", "filled_m"), [((0, 0), 0.009), ((0, 1), 0.006), ((1, 1), 0.0035), ((1, 2), 0.0)])
def test_flesh_melts_together_within_the_palm_and_fingers_but_not_from_finger_to_finger(
    groups: tuple[int, int], filled_m: float
) -> None:
    """In the middle between two capsules, at a quarter of the reach of their kind."""
    two = _capsules([0, *groups], [1.0, 0.0, 0.024])
    middle = np.array([[0.01, 0.0, 0.012]])
    assert signed_distance(two, middle)[0] == pytest.approx(0.002 - filled_m / 4)


def test_the_outward_direction_is_a_capsules_normal() -> None:
    """Straight away from the axis."""
    np.testing.assert_allclose(outward(_capsules([0], [0.0]), np.array([[0.01, 0.02, 0.0]])), [[0, 1, 0]], atol=1e-6)


def test_points_near_the_hand_go_onto_its_skin(mean_hand: Hand) -> None:
    """From up to 3 mm away, to within 10 um."""
    seed = 5
    print("seed", seed)
    random = np.random.default_rng(seed)
    near = random.uniform((-0.1, -0.02, -0.04), (0.1, 0.02, 0.09), (4000, 3))
    near = near[np.abs(signed_distance(mean_hand.flesh, near)) < 0.003]
    assert len(near) > 100
    assert np.percentile(np.abs(signed_distance(mean_hand.flesh, onto_skin(mean_hand.flesh, near))), 99) < 1e-5


def test_no_points_have_no_distances(mean_hand: Hand) -> None:
    """Zero in, zero out."""
    assert signed_distance(mean_hand.flesh, np.zeros((0, 3))).shape == (0,)
