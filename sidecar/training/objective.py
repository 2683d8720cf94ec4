"""What the network is asked to get right, and how errors are told to people."""

import torch
from torch import Tensor

from training.mano_layer import ManoLayer
from training.model import Answer, Geometry
from training.patch_hints import PatchHints
from training.poses import Truth

_DECIMETRES = 10.0
_FARTHEST = 2.0
"""Errors in the picture beyond two boxes teach nothing more."""


def loss_of(answer: Answer, truth: Truth, mano: ManoLayer, hints: PatchHints) -> Tensor:
    """The training loss, over both estimates and what the patches say."""
    with torch.no_grad():
        vertices, keypoints = mano(truth.rotations, truth.betas)
    first, refined = (_loss(geometry, truth, vertices, keypoints) for geometry in (answer.first, answer.refined))
    return 0.5 * first + refined + hints.loss(answer.hints, truth.keypoints_2d, keypoints)


def _loss(geometry: Geometry, truth: Truth, vertices: Tensor, keypoints: Tensor) -> Tensor:
    in_picture = off_in_picture(geometry, truth)
    in_space = _from_wrist(geometry.keypoints, geometry.keypoints) - _from_wrist(keypoints, keypoints)
    mesh = _from_wrist(geometry.vertices, geometry.keypoints) - _from_wrist(vertices, keypoints)
    in_hand = _in_hand(geometry.keypoints, geometry.rotations) - _in_hand(keypoints, truth.rotations)
    turned = geometry.rotations - truth.rotations
    return (
        3.5 * in_picture.abs().clamp(max=_FARTHEST).mean()
        + _DECIMETRES * (0.5 * in_space.abs().mean() + 0.3 * mesh.abs().mean() + 0.6 * in_hand.abs().mean())
        + 0.5 * turned.abs().mean()
        + 0.02 * (geometry.estimate.betas - truth.betas).abs().mean()
    )


def off_in_picture(geometry: Geometry, truth: Truth) -> Tensor:
    """(B, 21, 2) how far each joint is off, in parts of the hand's box."""
    return (geometry.keypoints_2d - truth.keypoints_2d) / truth.box[:, None, None]


def _from_wrist(points: Tensor, keypoints: Tensor) -> Tensor:
    return points - keypoints[:, :1]


def _in_hand(keypoints: Tensor, rotations: Tensor) -> Tensor:
    """Key points (B, 21, 3) from the wrist, as the hand itself sees them: however it is held, the pose is right."""
    return _from_wrist(keypoints, keypoints) @ rotations[:, 0]


def errors_of(geometry: Geometry, truth: Truth, mano: ManoLayer) -> dict[str, Tensor]:
    """Per hand: joints after Procrustes alignment, mm; and in the picture, per cent of the hand's box; (B,) each."""
    _, keypoints = mano(truth.rotations, truth.betas)
    aligned = _aligned(geometry.keypoints, keypoints)
    in_picture = off_in_picture(geometry, truth).norm(dim=-1)
    return {
        "aligned_mm": 1e3 * (aligned - keypoints).norm(dim=-1).mean(dim=1),
        "box_per_cent": 100 * in_picture.mean(dim=1),
    }


def _aligned(points: Tensor, targets: Tensor) -> Tensor:
    """Points (B, N, 3) after the best similarity transform onto targets: Umeyama, 1991."""
    mean, goal = points.mean(dim=1, keepdim=True), targets.mean(dim=1, keepdim=True)
    a, b = (points - mean).double(), (targets - goal).double()
    u, s, vt = torch.linalg.svd(a.transpose(1, 2) @ b)
    sign = torch.ones_like(s)
    sign[:, -1] = torch.linalg.det(u @ vt).sign()
    rotation = (u * sign[:, None]) @ vt
    scale = (s * sign).sum(dim=1) / (a * a).sum(dim=(1, 2))
    return (scale[:, None, None] * a @ rotation + goal).to(points.dtype)
