"""Errors of joints: what they are blind to, and what they measure."""

import numpy as np
import pytest

from wilor_sidecar.accuracy import aligned_error_m, box_error

RNG = np.random.default_rng(4)


def test_alignment_forgives_place_turn_and_size() -> None:
    """A hand that is moved, turned and scaled has no error after alignment; its mirror image has."""
    truth = RNG.normal(size=(21, 3)) * 0.05
    turn = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    assert aligned_error_m(1.7 * truth @ turn + 3.0, truth) == pytest.approx(0, abs=1e-9)
    assert aligned_error_m(truth * [-1, 1, 1], truth) > 0.01


def test_alignment_measures_metres() -> None:
    """One joint of many that is 21 mm off makes about one millimetre in the mean."""
    truth = RNG.normal(size=(21, 3)) * 0.05
    wrong = truth.copy()
    wrong[7, 2] += 0.021
    assert 0.0008 < aligned_error_m(wrong, truth) < 0.0025


def test_box_error_counts_longer_sides() -> None:
    """All joints 10 px to the side, in a box of 200 px, are 5 % off."""
    truth = np.array([[0.0, 0.0], [100.0, 200.0], [50.0, 20.0]])
    assert box_error(truth + np.array([10, 0]), truth) == pytest.approx(0.05)
