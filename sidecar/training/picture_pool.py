"""Rendered pictures, each shown to the network a few times: every time framed, turned and coloured anew.

To draw a picture takes longer than to learn from it, and a picture in a new frame teaches nearly as much as a new one.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training.constants import constant
from training.looks import Dice
from training.poses import Truth, picked

_LUMA = (0.299, 0.587, 0.114)
_MIDDLE = 110.0


@dataclass(frozen=True)
class Batch:
    """Pictures (B, 3, 256, 192) of 0..255 and what they show."""

    pictures: Tensor
    truth: Truth


class PicturePool:
    """The newest pictures of a run, on the device."""

    def __init__(self, size: int) -> None:
        """Hold up to `size` pictures."""
        self._size = size
        self._held: Batch | None = None
        self._filled = self._next = 0

    @property
    def full(self) -> bool:
        """Whether there is no room left."""
        return self._filled == self._size

    def add(self, batch: Batch) -> None:
        """Take in new pictures, in the oldest ones' place; `size` is a multiple of their number."""
        if self._held is None:
            self._held = _room_for(batch, self._size)
        rows = slice(self._next, self._next + len(batch.pictures))
        self._held.pictures[rows] = batch.pictures.round().clamp(0, 255).to(torch.uint8)
        for name, held in vars(self._held.truth).items():
            held[rows] = getattr(batch.truth, name)
        self._next = rows.stop % self._size
        self._filled = max(self._filled, rows.stop)

    def draw(self, count: int) -> Batch:
        """Some pictures in new frames and colours, parts of some covered."""
        if self._held is None:
            raise RuntimeError("no pictures yet")
        rows = torch.randint(self._filled, (count,), device=self._held.pictures.device)
        found = Batch(self._held.pictures[rows], picked(self._held.truth, rows))
        reframed = _reframed(found)
        return Batch(_finish(reframed.pictures), reframed.truth)


def _room_for(batch: Batch, size: int) -> Batch:
    room = {name: value.new_empty(size, *value.shape[1:]) for name, value in vars(batch.truth).items()}
    pictures = torch.empty(size, *batch.pictures.shape[1:], dtype=torch.uint8, device=batch.pictures.device)
    return Batch(pictures, Truth(**room))


def _reframed(batch: Batch) -> Batch:
    """Turn about the middle, enlarge, shift. What would lie outside the picture is its mirror image."""
    dice = Dice(len(batch.pictures), batch.pictures.device)
    angle, scale = dice.normal().clamp(-2, 2) * math.radians(14), torch.exp(0.1 * dice.normal().clamp(-2, 2))
    shift = 0.03 * dice.normal(2).clamp(-2, 2)
    cos, sin = angle.cos(), angle.sin()
    turn = torch.stack([cos, -sin, sin, cos], dim=1).view(-1, 2, 2)
    # From a place in the new picture to one in the old.
    back = turn.transpose(1, 2) / scale[:, None, None]
    at = -(back @ (2 * shift)[..., None])
    # `back` counts half heights; the grid counts x in half widths, three quarters of that.
    matrix = torch.cat([back, at], dim=2) * constant(((1, 4 / 3, 4 / 3), (3 / 4, 1, 1)), back.device)
    grid = functional.affine_grid(matrix, list(batch.pictures.shape), align_corners=False)
    pictures = functional.grid_sample(batch.pictures.float(), grid, padding_mode="reflection", align_corners=False)
    return Batch(pictures, _reframed_truth(batch.truth, turn, scale, shift))


def _reframed_truth(truth: Truth, turn: Tensor, scale: Tensor, shift: Tensor) -> Truth:
    points = scale[:, None, None] * (truth.keypoints_2d @ turn.transpose(1, 2)) + shift[:, None]
    sides = [(p.amax(dim=1) - p.amin(dim=1)).amax(dim=1) for p in (truth.keypoints_2d, points)]
    about_sight = functional.pad(turn, (0, 1, 0, 1))
    about_sight[:, 2, 2] = 1
    wrist = about_sight @ truth.rotations[:, 0]
    return Truth(
        torch.cat([wrist[:, None], truth.rotations[:, 1:]], dim=1),
        truth.betas,
        points,
        truth.box * sides[1] / sides[0],
    )


def _finished(pictures: Tensor) -> Tensor:
    return _covered(_coloured(pictures))


_finish_on_gpu = torch.compile(_finished, dynamic=False)


def _finish(pictures: Tensor) -> Tensor:
    return (_finish_on_gpu if pictures.is_cuda else _finished)(pictures)


def _coloured(pictures: Tensor) -> Tensor:
    """Brightness, contrast, colour cast, seldom grey, and a little noise."""
    dice = Dice(len(pictures), pictures.device)
    gain = torch.exp(0.14 * dice.normal(1, 1, 1) + 0.05 * dice.normal(3, 1, 1))
    contrast = torch.exp(0.12 * dice.normal(1, 1, 1))
    pixels = ((pictures - _MIDDLE) * contrast + _MIDDLE) * gain
    grey = sum(share * pixels[:, colour : colour + 1] for colour, share in enumerate(_LUMA))
    pixels = grey + (pixels - grey) * (1 - dice.chance(0.04, 1, 1, 1)) * torch.exp(0.15 * dice.normal(1, 1, 1))
    noise = dice.uniform(0, 5, 1, 1, 1) * dice.chance(0.3, 1, 1, 1)
    pixels = pixels + noise * torch.randn_like(pixels)
    return pixels.clamp(0, 255)


def _covered(pictures: Tensor) -> Tensor:
    """A rectangle of another picture over some."""
    dice = Dice(len(pictures), pictures.device)
    height, width = pictures.shape[2:]
    x = torch.arange(width, device=pictures.device).view(1, 1, 1, -1)
    y = torch.arange(height, device=pictures.device).view(1, 1, -1, 1)
    centre, half = dice.uniform(0, 1, 2, 1, 1), dice.uniform(6, 34, 2, 1, 1)
    inside = ((x - width * centre[:, :1]).abs() < half[:, :1]) & ((y - height * centre[:, 1:]).abs() < half[:, 1:])
    covered = inside & (dice.chance(0.2, 1, 1, 1) > 0)
    return torch.where(covered, pictures.roll(1, 0), pictures)
