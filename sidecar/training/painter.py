"""New pictures for the training, drawn on the GPU as fast as it can."""

import math

import torch

from training.picture_pool import Batch
from training.poses import PoseSampler
from training.replay import Replay

AT_ONCE = 512
_LEVELS = 4


class Painter:
    """Draws batches of one size; each is good until the next."""

    def __init__(self, device: torch.device) -> None:
        self._sampler = PoseSampler(device)
        self._device = device
        self._level = 0.0
        self._paint = self._at(0.0)

    def paint(self, strength: float) -> Batch:
        """Draw `AT_ONCE` pictures, `strength` (0 to 1, in quarters) of them hard; see `renderer.pictures`."""
        level = math.ceil(_LEVELS * strength) / _LEVELS
        if level != self._level:
            self._level, self._paint = level, self._at(level)
        return self._paint()

    def _at(self, level: float) -> Replay[Batch]:
        return Replay(lambda: make_batch(self._sampler, AT_ONCE, level), self._device)


@torch.no_grad()
def make_batch(sampler: PoseSampler, count: int, strength: float) -> Batch:
    """Draw hands and take their pictures."""
    from training.renderer import pictures  # noqa: PLC0415 - needs CuPy, which only a CUDA host has

    shown = sampler.draw(count)
    other = sampler.beside(shown)
    taken = pictures(shown.posed.capsules, sampler.hands.groups, shown.window, other, strength)
    # One pixel that is not a number would spoil the norms' statistics for good.
    return Batch(taken.nan_to_num().clamp(0, 255), shown.truth)
