"""What the network is asked to get right, and how errors are told to people."""

import torch
from torch import Tensor

from training.mano_layer import ManoLayer
from training.model import Geometry
from training.poses import Shown

_DECIMETRES = 10.0
_FARTHEST = 2.0
"""Errors in the picture beyond two boxes teach nothing more."""


def loss_of(pair: tuple[Geometry, Geometry], shown: Shown, mano: ManoLayer) -> Tensor:
    """The training loss, over both estimates."""
    with torch.no_grad():
        vertices, keypoints = mano(shown.rotations, shown.betas)
    first, refined = (_loss(geometry, shown, vertices, keypoints) for geometry in pair)
    return 0.7 * first + refined


def _loss(geometry: Geometry, shown: Shown, vertices: Tensor, keypoints: Tensor) -> Tensor:
    in_picture = (geometry.keypoints_2d - shown.keypoints_2d) / shown.box[:, None, None]
    in_space = _from_wrist(geometry.keypoints, geometry.keypoints) - _from_wrist(keypoints, keypoints)
    mesh = _from_wrist(geometry.vertices, geometry.keypoints) - _from_wrist(vertices, keypoints)
    turned = geometry.rotations - shown.rotations
    return (
        in_picture.abs().clamp(max=_FARTHEST).mean()
        + _DECIMETRES * (0.6 * in_space.abs().mean() + 0.4 * mesh.abs().mean())
        + 0.5 * turned.abs().mean()
        + 0.02 * (geometry.estimate.betas - shown.betas).abs().mean()
    )


def _from_wrist(points: Tensor, keypoints: Tensor) -> Tensor:
    return points - keypoints[:, :1]


def errors_of(geometry: Geometry, shown: Shown, mano: ManoLayer) -> dict[str, Tensor]:
    """Per hand: joints after Procrustes alignment, mm; and in the picture, per cent of the hand's box; (B,) each."""
    _, keypoints = mano(shown.rotations, shown.betas)
    aligned = _aligned(geometry.keypoints, keypoints)
    in_picture = (geometry.keypoints_2d - shown.keypoints_2d).norm(dim=-1) / shown.box[:, None]
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
