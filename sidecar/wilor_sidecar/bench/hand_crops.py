"""Crops that show a hand, each another way: a trained network's errors on noise would say nothing about its use."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from wilor_sidecar.setup.probe import probe_crop

_SEED = 1
_TURN_DEGREES = 60
_SHIFT_PX = 25


def hand_crops(count: int) -> NDArray[np.uint8]:
    """(count, 256, 256, 3) uint8 RGB: the drawn hand of the self-test, turned, moved, and in other light."""
    rng = np.random.Generator(np.random.Philox(_SEED))
    drawn = Image.fromarray(probe_crop()[0])
    ground = tuple(int(value) for value in np.median(np.asarray(drawn)[:32], axis=(0, 1)))
    crops = []
    for _ in range(count):
        turn = float(rng.uniform(-_TURN_DEGREES, _TURN_DEGREES))
        dx, dy = (int(value) for value in rng.integers(-_SHIFT_PX, _SHIFT_PX + 1, 2))
        turned = drawn.rotate(turn, Image.Resampling.BICUBIC, translate=(dx, dy), fillcolor=ground)
        crops.append(np.asarray(ImageEnhance.Brightness(turned).enhance(float(rng.uniform(0.5, 1.3)))))
    return np.stack(crops)
