"""The whole network as it is trained: backbone, heads, RefineNet and the hand, both estimates with their geometry."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.mano_layer import ManoLayer
from training.network import Backbone, Estimate, RefineNet, normalised, projected, rotations_of

_MEAN_CAMERA = (4.2, 0.0, 0.0)
"""The scale that puts an adult's hand into two fifths of its crop."""
_TELLING_APART = 0.3
"""The query tokens differ only by the mean pose they embed, so it must not be the same for any two rotations."""


@dataclass(frozen=True)
class Geometry:
    """An estimate and what follows from it.

    Attributes:
        rotations: (B, 16, 3, 3).
        vertices, keypoints: (B, 778, 3) and (B, 21, 3) m.
        keypoints_2d: (B, 21, 2) in parts of the crop's side, 0 in the middle.
    """

    estimate: Estimate
    rotations: Tensor
    vertices: Tensor
    keypoints: Tensor
    keypoints_2d: Tensor


class HandNetwork(nn.Module):
    """From pictures to a first and a refined hand."""

    def __init__(self, width: int, depth: int, heads: int, mano: Mapping[str, NDArray[np.generic]]) -> None:
        super().__init__()
        mean_pose = torch.tensor([1.0, 0, 0, 0, 1, 0]).repeat(16)
        apart = _TELLING_APART * torch.randn(96, generator=torch.Generator().manual_seed(16))
        self.backbone = Backbone(width, depth, heads, mean_pose + apart)
        self.backbone.init_cam.copy_(torch.tensor([_MEAN_CAMERA]))
        nn.init.normal_(self.backbone.pose_emb.weight, std=0.5)
        self.refine_net = RefineNet(width)
        self.mano = ManoLayer(mano)

    def forward(self, pictures: Tensor) -> tuple[Geometry, Geometry]:
        """First and refined hand of (B, 3, 256, 192) pictures of 0..255."""
        queries, patches = self.backbone(normalised(pictures))
        queries, patches = queries.float(), patches.float()
        with torch.autocast(pictures.device.type, enabled=False):
            first = self._geometry(self.backbone.first_estimate(queries))
            refined = self.refine_net(patches, first.estimate, first.vertices.detach())
            return first, self._geometry(refined)

    def _geometry(self, estimate: Estimate) -> Geometry:
        rotations = rotations_of(estimate.pose_6d)
        vertices, keypoints = self.mano(rotations, estimate.betas)
        return Geometry(estimate, rotations, vertices, keypoints, projected(keypoints, estimate.camera))
