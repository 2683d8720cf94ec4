"""What a camera, its software and the way make of a scene: from linear light to the values of a crop's pixels.

Every effect takes a whole batch, each picture with its own amount. `strength` scales those that hide the hand;
colour and exposure vary fully from the start. Blurs, sharpening and the change of the amplitude spectrum are one
product in the frequency domain; noise and JPEG happen on a smaller canvas where the camera had fewer pixels.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from training.constants import constant
from training.looks import Dice

_PAD = 16
_LUMA = (0.299, 0.587, 0.114)
# JPEG's own tables (ITU-T T.81, annex K), row by row.
_LUMA_STEPS = """16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"""
_CHROMA_STEPS = """17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66 99 99 99 99 99 99
99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99"""


@torch.no_grad()
def occlude(scene: Tensor, stuff: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    """Put things before the hand, cut out of other pictures' backgrounds (`stuff`, as the scene).

    Returns:
        The scene, (B, 3, H, W), and (B, 1, H, W) how much of each pixel is covered, 0 to 1.
    """
    dice = Dice(len(scene), scene.device)
    height, width = scene.shape[2:]
    x = torch.linspace(-1, 1, width, device=scene.device).view(1, 1, 1, -1)
    y = torch.linspace(-1, 1, height, device=scene.device).view(1, 1, -1, 1)
    angle, centre = dice.uniform(0, math.pi, 1, 1, 1), dice.uniform(-0.9, 0.9, 2, 1, 1)
    u = (x - centre[:, :1]) * angle.cos() + (y - centre[:, 1:]) * angle.sin()
    v = (y - centre[:, 1:]) * angle.cos() - (x - centre[:, :1]) * angle.sin()
    bar = torch.maximum(v.abs() - dice.uniform(0.02, 0.2, 1, 1, 1), u.abs() - dice.uniform(0.2, 2.0, 1, 1, 1))
    ellipse = ((u / dice.uniform(0.1, 0.4, 1, 1, 1)) ** 2 + (v / dice.uniform(0.1, 0.4, 1, 1, 1)) ** 2).sqrt() - 1
    wavy = functional.interpolate(dice.normal(1, 6, 5), size=(height, width), mode="bilinear")
    kind = dice.uniform(0, 1, 1, 1, 1)
    outside = torch.where(kind < 0.4, bar, torch.where(kind < 0.7, 0.2 * ellipse, 0.4 * (1.3 - wavy)))
    share = torch.sigmoid(-outside * 120) * dice.chance(0.3 * strength, 1, 1, 1)
    other = stuff.roll(1, 0) * dice.uniform(0.4, 1.4, 1, 1, 1)
    return scene + (other - scene) * share, share


@torch.no_grad()
def photograph(scene: Tensor, strength: float) -> Tensor:
    """Take the picture.

    Args:
        scene: (B, 3, H, W) linear light, H and W multiples of 8.
        strength: 0 to 1.

    Returns:
        (B, 3, H, W) float32, RGB, 0 to 255.
    """
    dice = Dice(len(scene), scene.device)
    scale = _resolution(dice, strength)
    light = _exposed(scene, dice)
    light = _filtered(light, _transfer(light, dice, scale, strength)).clamp(min=0)
    small = _resampled(light, 1 / scale)
    small = _noisy(small, dice, strength)
    pixels = _compressed(_developed(small, dice), dice, strength)
    pixels = _resampled(pixels, scale)
    return (_framed(pixels, dice).clamp(0, 1) * 255).round()


def _resolution(dice: Dice, strength: float) -> Tensor:
    """(B,) the camera's pixels per pixel of the crop: down to a hand of 25 px, a metre before a webcam of 160 x 120."""
    low = torch.exp(dice.uniform(math.log(0.25), 0.0))
    return torch.where(dice.chance(0.15 + 0.4 * strength) > 0, 1 - (1 - low) * max(strength, 0.3), torch.ones_like(low))


def _exposed(scene: Tensor, dice: Dice) -> Tensor:
    """Automatic exposure, never quite right, and white balance likewise."""
    level = scene.mean((1, 2, 3), keepdim=True).clamp(min=0.02)
    gain = (0.32 / level) ** dice.uniform(0.2, 0.8, 1, 1, 1) * torch.exp(0.35 * dice.normal(1, 1, 1))
    cast = torch.exp(dice.normal(3, 1, 1) * dice.uniform(0.0, 0.14, 1, 1, 1))
    return scene * gain.clamp(0.2, 5) * cast


def _transfer(light: Tensor, dice: Dice, scale: Tensor, strength: float) -> Tensor:
    """(B, 1, H', W'') what each frequency is multiplied by: focus, motion, pixels, sharpening, and chance."""
    height, width = light.shape[2] + 2 * _PAD, light.shape[3] + 2 * _PAD
    fy = torch.fft.fftfreq(height, device=light.device).view(1, 1, -1, 1)
    fx = torch.fft.rfftfreq(width, device=light.device).view(1, 1, 1, -1)
    square = fx**2 + fy**2
    pixel = 0.42 * (1 / scale.view(-1, 1, 1, 1) ** 2 - 1).clamp(min=0).sqrt()
    focus = 0.35 + (0.5 + 2.2 * strength) * dice.uniform(0, 1, 1, 1, 1) ** 3
    transfer = torch.exp(-2 * math.pi**2 * square * (pixel**2 + focus**2))
    angle, path = dice.uniform(0, math.pi, 1, 1, 1), 12 * strength * dice.uniform(0, 1, 1, 1, 1) ** 2
    moved = torch.sinc((fx * angle.cos() + fy * angle.sin()) * path * dice.chance(0.3, 1, 1, 1))
    halo = dice.uniform(0, 0.8, 1, 1, 1) * dice.chance(0.3, 1, 1, 1) * scale.view(-1, 1, 1, 1)
    sharpen = 1 + halo * (1 - torch.exp(-2 * math.pi**2 * square * 1.4**2))
    return transfer * moved * sharpen * _spectrum(dice, square, fx, fy, strength)


def _spectrum(dice: Dice, square: Tensor, fx: Tensor, fy: Tensor, strength: float) -> Tensor:
    """(B, 1, H', W'') smooth chance over frequency; 1 for the mean, so that brightness stays."""
    octave = torch.log2(square.sqrt() * 64 + 1)
    amount = 0.2 * strength * dice.uniform(0, 1, 1, 1, 1)
    weights, phases = dice.normal(4, 1, 1), dice.uniform(0, 2 * math.pi, 4, 1, 1)
    around = 2 * torch.atan2(fy, fx + 1e-9)
    change = weights[:, :1] * torch.sin(octave + phases[:, :1]) + weights[:, 1:2] * torch.sin(
        2 * octave + phases[:, 1:2]
    )
    change = change + 0.5 * weights[:, 2:3] * torch.cos(around + phases[:, 2:3])
    return torch.exp(amount * change * (1 - torch.exp(-square * 4e3)))


def _filtered(light: Tensor, transfer: Tensor) -> Tensor:
    """A product in the frequency domain; the picture is mirrored at its borders first."""
    padded = functional.pad(light, (_PAD,) * 4, mode="reflect")
    result = torch.fft.irfft2(torch.fft.rfft2(padded) * transfer, s=padded.shape[2:])
    return result[:, :, _PAD:-_PAD, _PAD:-_PAD]


def _resampled(picture: Tensor, step: Tensor) -> Tensor:
    """(B, C, H, W) drawn larger or smaller about its corner: `step` (B,) pixels of it to a pixel of the result."""
    zero = torch.zeros_like(step)
    rows = [torch.stack([step, zero, step - 1], 1), torch.stack([zero, step, step - 1], 1)]
    grid = functional.affine_grid(torch.stack(rows, 1), list(picture.shape), align_corners=False)
    return functional.grid_sample(picture, grid, padding_mode="border", align_corners=False)


def _noisy(light: Tensor, dice: Dice, strength: float) -> Tensor:
    """Shot and read noise, part of it common to the three colours."""
    amount = strength * dice.uniform(0, 1, 1, 1, 1) ** 3.5 + 0.03
    colour = dice.uniform(0.2, 1.0, 1, 1, 1)
    noise = torch.randn_like(light) * colour + torch.randn_like(light[:, :1]) * (1 - colour**2).sqrt()
    return light + noise * amount * (0.012 * light.clamp(min=0) + 0.0009).sqrt()


def _developed(light: Tensor, dice: Dice) -> Tensor:
    """Vignetting, a tone curve, sRGB, saturation, contrast; sometimes grey. 0 to 1."""
    x = torch.linspace(-1, 1, light.shape[3], device=light.device).view(1, 1, 1, -1)
    y = torch.linspace(-1, 1, light.shape[2], device=light.device).view(1, 1, -1, 1)
    off = dice.normal(2, 1, 1) * 0.5
    fall = dice.uniform(0, 0.25, 1, 1, 1) * dice.chance(0.3, 1, 1, 1)
    light = (light * (1 - fall * ((x - off[:, :1]) ** 2 + (y - off[:, 1:]) ** 2)).clamp(min=0.2)).clamp(min=1e-5)
    # Highlights roll off on most cameras; some clip.
    shoulder = dice.uniform(0.0, 0.35, 1, 1, 1)
    light = light / (1 + shoulder * light) * (1 + shoulder)
    light = light.clamp(max=1.0)
    pixels = torch.where(light < 0.0031308, 12.92 * light, 1.055 * light.clamp(min=1e-4) ** (1 / 2.4) - 0.055)
    pixels = pixels ** torch.exp(0.12 * dice.normal(1, 1, 1))
    pixels = (pixels - 0.5) * torch.exp(0.14 * dice.normal(1, 1, 1)) + 0.5 + 0.025 * dice.normal(1, 1, 1)
    grey = (pixels * constant(_LUMA, light.device).view(1, 3, 1, 1)).sum(1, keepdim=True)
    saturation = torch.exp(0.18 * dice.normal(1, 1, 1) - 0.1) * (1 - dice.chance(0.06, 1, 1, 1))
    return (grey + (pixels - grey) * saturation).clamp(0, 1)


def _cosines(device: torch.device) -> Tensor:
    """(8, 8) the orthonormal cosine transform."""
    k = torch.arange(8, device=device, dtype=torch.float32)
    matrix = torch.cos(math.pi / 8 * (k[None] + 0.5) * k[:, None]) * 0.5
    matrix[0] *= math.sqrt(0.5)
    return matrix


def _compressed(pixels: Tensor, dice: Dice, strength: float) -> Tensor:
    """What JPEG leaves of 8 x 8 blocks; quality 95 down to 15."""
    device = pixels.device
    tables = [[float(step) for step in text.split()] for text in (_LUMA_STEPS, _CHROMA_STEPS, _CHROMA_STEPS)]
    steps = constant(tables, device).view(1, 3, 1, 8, 1, 8)
    quality = 95 - 80 * strength * dice.uniform(0, 1, 1, 1, 1, 1, 1) ** 2
    factor = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
    steps = (steps * factor / 255).clamp(min=1 / 255)
    cosines = _cosines(device)
    y = (pixels * constant(_LUMA, device).view(1, 3, 1, 1)).sum(1)
    blue, red = (pixels[:, 2] - y) * 0.564, (pixels[:, 0] - y) * 0.713
    blocks = torch.stack([y, blue, red], 1).unflatten(3, (-1, 8)).unflatten(2, (-1, 8))
    blocks = torch.einsum("uy,bciyjx,vx->bciujv", cosines, blocks, cosines)
    blocks = torch.round(blocks / steps) * steps
    blocks = torch.einsum("uy,bciujv,vx->bciyjx", cosines, blocks, cosines)
    y, blue, red = blocks.flatten(4, 5).flatten(2, 3).unbind(1)
    return torch.stack([y + 1.402 * red, y - 0.344 * blue - 0.714 * red, y + 1.772 * blue], 1)


def _framed(pixels: Tensor, dice: Dice) -> Tensor:
    """A crop that reaches beyond its photograph is black there."""
    x = torch.linspace(0, 1, pixels.shape[3], device=pixels.device).view(1, 1, 1, -1)
    y = torch.linspace(0, 1, pixels.shape[2], device=pixels.device).view(1, 1, -1, 1)
    depth = dice.uniform(0.02, 0.25, 4, 1, 1) * dice.chance(0.03, 4, 1, 1)
    inside = (x >= depth[:, :1]) & (1 - x >= depth[:, 1:2]) & (y >= depth[:, 2:3]) & (1 - y >= depth[:, 3:])
    return pixels * inside
