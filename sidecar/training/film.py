"""Makes the short film that the demo shows: rendered hands that go through gestures, with the truth of every frame.

    python -m training.film OUT

Each shot is a person before a camera that stands still. What the network was trained on is drawn at random; these poses
are written down here, and no training step saw these pictures. On a CPU it takes some minutes.
"""

import argparse
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from training import backdrop, camera_effects, looks, renderer
from training.constants import constant
from training.kinematics import PosedHands
from training.poses import FINGERS, FULL_BEND, THUMB_HIGH, THUMB_LOW, PoseSampler
from training.render_layout import place

_WIDTH, _HEIGHT = 360, 480
_FRAMES_A_GESTURE = 8
_HOLD = 0.35
"""The share of a gesture's frames in which it is held."""
_THUMB_AWAY_M = 0.065
_QUALITY = 88
_SIDE = 0.62
"""How much the camera sees, from top to bottom, at a distance of 1."""
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Gesture:
    """What a hand does.

    Attributes:
        bend: how far index, middle, ring and little finger are bent, 0 to 1.
        thumb_to: the key point that the thumb goes to; None: away from all.
        turn, lean, roll: how it is held, degrees; see `PoseSampler.held`.
    """

    bend: tuple[float, float, float, float]
    thumb_to: int | None
    turn: float = 0.0
    lean: float = 0.0
    roll: float = 0.0


@dataclass(frozen=True)
class Shot:
    """A person and what they do. `tone` is 0 for the lightest skin and 1 for the darkest."""

    name: str
    seed: int
    tone: float
    is_left: bool
    gestures: tuple[Gesture, ...]


SHOTS = (
    Shot(
        "right",
        seed=11,
        tone=0.22,
        is_left=False,
        gestures=(
            Gesture((0.0, 0.0, 0.0, 0.0), None, turn=8),
            Gesture((0.55, 0.25, 0.2, 0.2), 8, turn=-20, lean=8),
            Gesture((0.0, 1.0, 1.0, 1.0), 10, turn=15, roll=-15),
            Gesture((0.0, 0.0, 1.0, 1.0), 14, turn=-10, roll=8),
        ),
    ),
    Shot(
        "left",
        seed=23,
        tone=0.85,
        is_left=True,
        gestures=(
            Gesture((1.0, 1.0, 1.0, 1.0), 6, turn=20, lean=5),
            Gesture((0.0, 0.0, 0.0, 0.0), None, turn=-25, roll=10),
            Gesture((0.5, 0.1, 0.05, 0.0), 8, turn=20, roll=-10),
            Gesture((0.0, 1.0, 1.0, 0.0), 10, turn=170, roll=5),
        ),
    ),
)


@torch.no_grad()
def film(shot: Shot) -> tuple[list[bytes], dict[str, np.ndarray]]:
    """A shot's frames as JPEG, and its truth: `keypoints_2d` (F, 21, 2) px and `keypoints_from_wrist` (F, 21, 3) m."""
    torch.manual_seed(shot.seed)
    sampler = PoseSampler(_CPU)
    betas = torch.randn(1, 10).clamp(-1.5, 1.5)
    hands = _posed(sampler, shot, betas)
    frames = _pictures(sampler, hands, shot)
    points = hands.keypoints
    pixels = points[..., :2] / points[..., 2:] / _SIDE * _HEIGHT + torch.tensor([_WIDTH / 2, _HEIGHT / 2])
    from_wrist = points - points[:, :1]
    if shot.is_left:
        frames = frames.flip(3)
        pixels[..., 0] = _WIDTH - pixels[..., 0]
        from_wrist[..., 0] *= -1
    truth = {"keypoints_2d": pixels, "keypoints_from_wrist": from_wrist}
    return [_jpeg(frame) for frame in frames], {name: each.numpy().astype(np.float32) for name, each in truth.items()}


def _posed(sampler: PoseSampler, shot: Shot, betas: Tensor) -> PosedHands:
    keys = torch.stack([_key(sampler, gesture, betas) for gesture in shot.gestures])
    between = _eased(keys)
    count = len(between)
    bend, thumb, held = between[:, :4], between[:, 4:9], between[:, 9:]
    rotations = _bent(sampler, bend)
    rotations[:, 13:16] = sampler.thumb(thumb)
    rotations[:, 0] = sampler.held(*held.unbind(1))
    time = torch.linspace(0, 2 * torch.pi, count + 1)[:count]
    sway = torch.stack([0.025 * time.sin(), 0.02 * (2 * time).cos() - 0.015, 0.46 + 0.05 * time.cos()], dim=1)
    forearm = torch.eye(3).expand(count, 3, 3)
    middle = sampler.hands.keypoints(rotations, forearm, betas.expand(count, -1)).mean(dim=1)
    return sampler.hands.posed(rotations, forearm, betas.expand(count, -1), sway - middle)


def _key(sampler: PoseSampler, gesture: Gesture, betas: Tensor) -> Tensor:
    """(12,) a gesture's numbers: four bends, five angles of the thumb, three of the wrist."""
    bend = torch.tensor([gesture.bend])
    low, high = constant(THUMB_LOW, _CPU), constant(THUMB_HIGH, _CPU)
    trials = low + (high - low) * torch.rand(1, 4000, 5)
    tips = sampler.hands.thumb_tips(sampler.thumb(trials[0])[None], betas)[0]
    points = sampler.hands.keypoints(_bent(sampler, bend), torch.eye(3)[None], betas)[0]
    if gesture.thumb_to is None:
        # Comfortably away from the index finger's base: no joint at its limit.
        strain = ((trials[0] - (low + high) / 2) / (high - low)).square().sum(dim=1)
        best = (0.05 * strain + ((tips - points[5]).norm(dim=1) - _THUMB_AWAY_M).abs()).argmin()
    else:
        best = ((tips - points[gesture.thumb_to]).norm(dim=1) - 0.014).abs().argmin()
    return torch.cat([bend[0], trials[0, best], torch.tensor([gesture.turn, gesture.lean, gesture.roll])])


def _bent(sampler: PoseSampler, bend: Tensor) -> Tensor:
    """(B, 16, 3, 3) hands whose fingers are bent by (B, 4)."""
    rotations = torch.eye(3).repeat(len(bend), 16, 1, 1)
    for column, finger in enumerate(FINGERS):
        share = bend[:, column]
        angles = tuple(share * full for full in FULL_BEND)
        sampler.set_finger(rotations, finger, angles, 6.0 * (1.5 - column) * (1 - share), torch.zeros_like(share))
    return rotations


def _eased(keys: Tensor) -> Tensor:
    """(F, 12) numbers that stay at each key for a while and glide to the next, the last to the first."""
    following = keys.roll(-1, 0)
    time = torch.arange(_FRAMES_A_GESTURE) / _FRAMES_A_GESTURE
    share = ((time - _HOLD) / (1 - _HOLD)).clamp(0, 1)
    share = (share * share * (3 - 2 * share))[None, :, None]
    return (keys[:, None] + share * (following - keys)[:, None]).flatten(0, 1)


def _pictures(sampler: PoseSampler, hands: PosedHands, shot: Shot) -> Tensor:
    """(F, 3, H, W) 0 to 255: one person, one light, one room, one camera."""
    count = len(hands.keypoints)
    look = looks.sample(1, _CPU)
    look[:, place("melanin")] = 0.02 + shot.tone**1.3
    look[:, place("palm_melanin")] = 1 - 0.75 * shot.tone**0.7
    look[:, place("glove")] = 0
    window = torch.tensor([[0.0, 0.0, _SIDE]]).expand(count, -1)
    drawn = renderer.render(
        hands.capsules, sampler.hands.groups, window, look=look.expand(count, -1), height=_HEIGHT, width=_WIDTH
    )
    behind = backdrop.sample(backdrop.bank(24, _CPU), 1, _HEIGHT, _WIDTH)
    scene = behind * drawn.shade + (drawn.rgb - behind) * drawn.cover
    frames = []
    for frame in scene:
        torch.manual_seed(shot.seed)  # the same camera, and the same noise, in every frame
        frames.append(camera_effects.photograph(frame[None], 0.25)[0])
    return torch.stack(frames)


def _jpeg(frame: Tensor) -> bytes:
    buffer = io.BytesIO()
    pixels = frame.permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8).numpy()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Make the demo's film.")
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for shot in SHOTS:
        frames, truth = film(shot)
        ends = np.cumsum([len(frame) for frame in frames])
        np.savez(out / f"{shot.name}.npz", jpeg=np.frombuffer(b"".join(frames), np.uint8), ends=ends, **truth)


if __name__ == "__main__":
    main()
