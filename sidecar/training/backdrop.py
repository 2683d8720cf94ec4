"""What is behind a hand: rooms, desks, walls, paper, skin and studio grey, from a bank drawn once.

Linear light. The trial failed on plain and pale backgrounds since all of its own were vivid: plain and unsaturated ones
are common here. A bank is drawn shape by shape for many pictures at once; a step then only crops, flips and tints it.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from training.constants import constant
from training.looks import Dice

SIZE = 256
_CHUNK = 256


@torch.no_grad()
def bank(count: int, device: torch.device) -> Tensor:
    """(count, 3, SIZE, SIZE) half precision, linear, 0 to about 1."""
    parts = [_draw(min(_CHUNK, count - first), device).half() for first in range(0, count, _CHUNK)]
    return torch.cat(parts)


@torch.no_grad()
def sample(drawn: Tensor, count: int, height: int = 256, width: int = 192) -> Tensor:
    """(count, 3, H, W) float32: crops of a bank, turned, flipped and tinted, and plain ones."""
    dice = Dice(count, drawn.device)
    picked = drawn[torch.randint(len(drawn), (count,), device=drawn.device)].float()
    half = dice.uniform(0.35, 1.0)
    angle = 0.25 * dice.normal() + dice.uniform(0, 2 * math.pi) * dice.chance(0.2)
    flip = 2 * dice.chance(0.5) - 1
    cos, sin = half * angle.cos(), half * angle.sin()
    shift = dice.uniform(-0.25, 0.25, 2)
    rows = [torch.stack([flip * cos * width / height, -sin, shift[:, 0]], 1)]
    rows += [torch.stack([flip * sin * width / height, cos, shift[:, 1]], 1)]
    grid = functional.affine_grid(torch.stack(rows, 1), [count, 3, height, width], align_corners=False)
    crop = functional.grid_sample(picked, grid, padding_mode="reflection", align_corners=False)
    tint = 1 + 0.08 * dice.normal(3, 1, 1)
    crop = crop * tint * torch.exp(dice.uniform(-0.9, 0.4, 1, 1, 1))
    return torch.where(dice.chance(0.25, 1, 1, 1) > 0, _plain(dice, height, width), crop).clamp(0, 1.5)


def _plain(dice: Dice, height: int, width: int) -> Tensor:
    """(B, 3, H, W) white, grey, black or a pale colour, evenly lit or nearly so."""
    choice = dice.uniform(0, 1, 1)
    value = torch.where(choice < 0.4, dice.uniform(0.75, 1.15, 1), torch.where(choice < 0.6, 0.03, 1.0))
    value = torch.where(choice >= 0.6, dice.uniform(0.03, 0.8, 1), value)
    colour = value * (1 - 0.5 * dice.uniform(0, 1, 1) ** 3 * dice.uniform(0, 1, 3))
    x, y = _axes(height, width, dice.device)
    slope = dice.normal(2, 1, 1) * dice.uniform(0, 0.25, 1, 1, 1)
    light = 1 + slope[:, :1] * x + slope[:, 1:] * y
    spot = dice.uniform(-1, 1, 2, 1, 1)
    glow = torch.exp(-((x - spot[:, :1]) ** 2 + (y - spot[:, 1:]) ** 2) * 0.7)
    return colour[..., None, None] * light * (1 + dice.uniform(-0.3, 0.4, 1, 1, 1) * glow * dice.chance(0.5, 1, 1, 1))


def _axes(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """(1, 1, 1, W) and (1, 1, H, 1), -1 to 1."""
    x, y = (torch.linspace(-1, 1, size, device=device) for size in (width, height))
    return x.view(1, 1, 1, -1), y.view(1, 1, -1, 1)


def _draw(count: int, device: torch.device) -> Tensor:
    """(count, 3, SIZE, SIZE) of all kinds, out of focus to some degree."""
    dice = Dice(count, device)
    muted = dice.uniform(0, 1, 1) ** 2
    picture = _palette(dice, muted)[..., None, None] * (1 + fractal(dice) * dice.uniform(0, 0.5, 1, 1, 1))
    picture = _mixed(picture, _wood(dice), dice.chance(0.15, 1, 1, 1))
    picture = _mixed(picture, _table(dice, picture, muted), dice.chance(0.35, 1, 1, 1))
    for size in (1.2, 1.0, 0.7, 0.5, 0.35, 0.25, 0.2, 0.15):
        picture = _shape(dice, picture, muted, size)
    picture = _mixed(picture, picture * _pattern(dice, muted), dice.chance(0.3, 1, 1, 1))
    picture = _mixed(picture, picture * _writing(dice), dice.chance(0.15, 1, 1, 1))
    picture = _face(dice, picture)
    picture = picture * (1 + dice.uniform(0, 0.25, 1, 1, 1) * fractal(dice))
    return _defocused(picture.clamp(0, 1.5), dice)


def _mixed(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    return a + (b - a) * share


def _palette(dice: Dice, muted: Tensor) -> Tensor:
    """(B, 3) a colour; `muted` (B, 1) 0 grey to 1 vivid."""
    value = dice.uniform(0.1, 1.0, 1) ** 1.8
    warm = constant((1.0, 0.85, 0.68), dice.device) ** dice.uniform(-0.4, 1.0, 1)
    return value * warm * (1 - 0.85 * muted * dice.uniform(0, 1, 3))


def _skin(dice: Dice) -> Tensor:
    """(B, 3) about the hues of skin, wood and cardboard."""
    dark = dice.uniform(0, 1, 1)
    absorbed = constant((2.4, 3.2, 3.9), dice.device)
    return constant((0.84, 0.58, 0.45), dice.device) * torch.exp(-dark * absorbed) * dice.uniform(0.7, 1.1, 3)


def fractal(dice: Dice, channels: int = 1, size: int = SIZE) -> Tensor:
    """(B, channels, size, size) about -1 to 1: noise whose power falls with frequency, as in photographs."""
    slope = dice.uniform(0.3, 1.1, 1, 1, 1)
    total = torch.zeros(dice.count, channels, size, size, device=dice.device)
    for cells in (2, 4, 8, 16, 32, 64, 128):
        layer = dice.normal(channels, cells, cells)
        total += functional.interpolate(layer, size=(size, size), mode="bilinear") * (cells / 2.0) ** -slope
    return (total * 0.6).clamp(-1.5, 1.5)


def _wood(dice: Dice) -> Tensor:
    """(B, 3, SIZE, SIZE) grain along one axis, boards with gaps."""
    grain = sum(
        functional.interpolate(dice.normal(1, cells, max(2, cells // 16)), size=(SIZE, SIZE), mode="bilinear") * weight
        for cells, weight in ((8, 0.5), (32, 0.4), (128, 0.3))
    )
    _, y = _axes(SIZE, SIZE, dice.device)
    board = torch.frac(y * dice.uniform(0.5, 4, 1, 1, 1) + dice.uniform(2, 6, 1, 1, 1))
    gap = 1 - 0.6 * (board < 0.03).float() * dice.chance(0.6, 1, 1, 1)
    return _skin(dice)[..., None, None] * (1 + 0.3 * grain).clamp(0.1, 2) * gap


def _turned(dice: Dice, spread: float = math.pi) -> tuple[Tensor, Tensor]:
    """Two (B, 1, SIZE, SIZE) coordinates around a random centre and turned."""
    x, y = _axes(SIZE, SIZE, dice.device)
    centre, angle = dice.uniform(-1, 1, 2, 1, 1), spread * dice.uniform(-1, 1, 1, 1, 1)
    # Furniture stands upright more often than not.
    angle = angle * dice.chance(0.5, 1, 1, 1)
    x, y = x - centre[:, :1], y - centre[:, 1:]
    return x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()


def _table(dice: Dice, picture: Tensor, muted: Tensor) -> Tensor:
    """A second surface below a slanted edge, often lit otherwise."""
    x, y = _axes(SIZE, SIZE, dice.device)
    edge = y - dice.uniform(-0.6, 0.9, 1, 1, 1) - 0.2 * dice.normal(1, 1, 1) * x
    top = _palette(dice, muted)[..., None, None] * (1 + 0.25 * fractal(dice))
    top = torch.where(dice.chance(0.4, 1, 1, 1) > 0, _wood(dice), top)
    return _mixed(picture, top, torch.sigmoid(edge * 150))


def _shape(dice: Dice, picture: Tensor, muted: Tensor, size: float) -> Tensor:
    """One box or ellipse in each picture, shaded across, with a shadow beside it."""
    u, v = _turned(dice)
    a, b = (size * dice.uniform(0.15, 1.0, 1, 1, 1) for _ in range(2))
    box = torch.maximum(u.abs() / a, v.abs() / b) - 1
    ellipse = ((u / a) ** 2 + (v / b) ** 2).sqrt() - 1
    outside = torch.where(dice.chance(0.35, 1, 1, 1) > 0, ellipse, box) * torch.minimum(a, b)
    on = dice.chance(0.55, 1, 1, 1)
    colour = torch.where(dice.chance(0.15, 1) > 0, _skin(dice), _palette(dice, muted))[..., None, None]
    shading = 1 + dice.uniform(-0.5, 0.5, 1, 1, 1) * (u / a).clamp(-1, 1) + 0.15 * dice.normal(1, 1, 1) * v
    shadow = 1 - dice.uniform(0, 0.5, 1, 1, 1) * torch.sigmoid(-outside * 25) * on
    return _mixed(picture * shadow, colour * shading.clamp(0.2, 1.8), torch.sigmoid(-outside * 180) * on)


def _pattern(dice: Dice, muted: Tensor) -> Tensor:
    """(B, 3, SIZE, SIZE) a factor: shelves, keys, tiles, blinds, each cell of its own brightness."""
    u, v = _turned(dice, 0.6)
    across, along = (torch.exp(dice.uniform(0.7, 3.6, 1, 1, 1)) for _ in range(2))
    along = torch.where(dice.chance(0.3, 1, 1, 1) > 0, torch.full_like(along, 0.3), along)
    x, y = u * across, v * along
    gap = dice.uniform(0.05, 0.3, 1, 1, 1)
    inside = ((torch.frac(x + 64) > gap) & (torch.frac(y + 64) > gap)).float()
    cell = torch.frac(torch.sin(torch.floor(x + 64) * 12.9898 + torch.floor(y + 64) * 78.233) * 4375.85)
    cells = 1 + dice.uniform(0, 1.2, 1, 1, 1) * (cell - 0.5)
    dark = dice.uniform(0.1, 0.9, 1, 1, 1)
    tone = _palette(dice, muted)[..., None, None].clamp(min=0.05).sqrt()
    return _mixed(dark * torch.ones_like(tone), cells * tone * 1.3, inside)


def _writing(dice: Dice) -> Tensor:
    """(B, 1, SIZE, SIZE) a factor: rows of dark strokes in words."""
    u, v = _turned(dice, 0.4)
    row = v * dice.uniform(8, 26, 1, 1, 1)
    line = torch.floor(row + 64)
    strokes = torch.frac(torch.sin(torch.floor(u * dice.uniform(60, 120, 1, 1, 1)) * 91.7 + line * 47.3) * 437.58)
    words = torch.frac(torch.sin(torch.floor(u * 11) * 37.1 + line * 11.7) * 951.35) > 0.25
    ink = (strokes > 0.45) & words & (torch.frac(row + 64) > 0.45) & (u.abs() < 0.8)
    return 1 - dice.uniform(0.3, 0.95, 1, 1, 1) * ink.float()


def _face(dice: Dice, picture: Tensor) -> Tensor:
    """A head in some pictures: skin, hair, eyes, a mouth; blurred later like everything else."""
    u, v = _turned(dice, 0.5)
    size = dice.uniform(0.2, 0.8, 1, 1, 1)
    u, v = u / size, v / (size * 1.35)

    def inside(x: float, y: float, a: float, b: float) -> Tensor:
        return torch.sigmoid(-((((u - x) / a) ** 2 + ((v - y) / b) ** 2).sqrt() - 1) * 12)

    on = dice.chance(0.15, 1, 1, 1)
    skin, hair = _skin(dice)[..., None, None], (0.12 * _palette(dice, dice.uniform(0, 0.3, 1)))[..., None, None]
    picture = _mixed(picture, hair * torch.ones_like(picture), inside(0, -0.25, 1.15, 1.15) * on)
    picture = _mixed(
        picture, skin * (1 + 0.25 * dice.normal(1, 1, 1) * u).clamp(0.3, 1.6), inside(0, 0.1, 0.85, 0.95) * on
    )
    dark = inside(-0.35, -0.05, 0.16, 0.07) + inside(0.35, -0.05, 0.16, 0.07) + 0.6 * inside(0, 0.55, 0.32, 0.08)
    return picture * (1 - 0.75 * on * dark.clamp(0, 1))


def _defocused(picture: Tensor, dice: Dice) -> Tensor:
    """(B, 3, SIZE, SIZE) each out of focus by its own amount: between two steps of a pyramid."""
    levels = [picture]
    for factor in (2, 4, 8, 16):
        small = functional.avg_pool2d(picture, factor)
        small = functional.avg_pool2d(small, 3, stride=1, padding=1, count_include_pad=False)
        levels.append(functional.interpolate(small, size=(SIZE, SIZE), mode="bilinear"))
    level = 3.99 * dice.uniform(0, 1, 1, 1, 1) ** 1.6
    result = torch.zeros_like(picture)
    for i, each in enumerate(levels):
        result += each * (1 - (level - i).abs()).clamp(min=0)
    return result
