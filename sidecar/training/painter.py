"""New pictures for the training, drawn on the GPU as fast as it can."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from training import renderer
from training.constants import constant
from training.picture_pool import Batch
from training.poses import PoseSampler, picked
from training.replay import Replay

AT_ONCE = 512
_LEVELS = 4
_SPARE = 0.15
_MOST_COVERED = 0.4
"""The share of key points that things may hide: with more nobody could tell the pose, and no detector finds a hand."""
_SEEN = 0.5
"""With less of a pixel the hand does not show there."""


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
    """Draw hands and take their pictures; more than wanted, to leave out those that nobody could tell."""
    shown = sampler.draw(count + round(_SPARE * count))
    other = sampler.beside(shown)
    taken = renderer.pictures(shown.posed.capsules, sampler.hands.groups, shown.window, other, strength)
    too_covered = covered(taken.hand, shown.truth.keypoints_2d) > _MOST_COVERED
    rows = too_covered.to(torch.int8).argsort(stable=True)[:count]
    # One pixel that is not a number would spoil the norms' statistics for good.
    return Batch(taken.pictures[rows].nan_to_num().clamp(0, 255), picked(shown.truth, rows))


def covered(hand: Tensor, keypoints_2d: Tensor) -> Tensor:
    """(B,) the share of key points where no hand is seen: behind something else, or outside the picture.

    Args:
        hand: (B, 1, 256, 192) 0 to 1, where the hand is seen.
        keypoints_2d: (B, 21, 2) in parts of the crop's side, 0 in the middle.
    """
    height, width = hand.shape[2:]
    places = keypoints_2d * constant((2 * height / width, 2.0), hand.device)
    seen = functional.grid_sample(hand, places[:, None], align_corners=False)
    return (seen[:, 0, 0] < _SEEN).float().mean(dim=1)
