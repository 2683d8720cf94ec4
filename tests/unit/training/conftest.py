"""The hand's stored arrays, and the hand they were made of."""

import numpy as np
import pytest
from tests.unit.training.posed_hand import PosedHand

from training.hand import Hand, hand_of_shape


@pytest.fixture(scope="session")
def posed_hand() -> PosedHand:
    """The stored arrays behind MANO's formulas."""
    return PosedHand()


@pytest.fixture(scope="session")
def mean_hand() -> Hand:
    """The hand that the arrays were made of."""
    return hand_of_shape(np.zeros(10))
