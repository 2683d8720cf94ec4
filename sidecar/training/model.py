"""The whole network as it is trained: backbone, heads, RefineNet and the hand, both estimates with their geometry."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.mano_layer import ManoLayer
from training.network import QUERIES, Backbone, Estimate, RefineNet, projected, rotations_of
from training.patch_hints import Hints, PatchHints

_MEAN_RGB = (0.485, 0.456, 0.406)
_STD_RGB = (0.229, 0.224, 0.225)
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


@dataclass(frozen=True)
class Answer:
    """What the network says: a first hand, a refined one, and the patches' hints."""

    first: Geometry
    refined: Geometry
    hints: Hints


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
        self.hints = PatchHints(width)
        for name, values in (("mean_rgb", _MEAN_RGB), ("std_rgb", _STD_RGB)):
            self.register_buffer(name, 255 * torch.tensor(values).view(3, 1, 1), persistent=False)

    def forward(self, pictures: Tensor) -> Answer:
        """First and refined hand of (B, 3, 256, 192) pictures of 0..255."""
        return self.answer(*self.tokens(pictures))

    def tokens(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """The backbone's (B, 210, width) tokens: finished, and as they were after three quarters of its blocks."""
        return self.backbone((pictures - self.mean_rgb) / self.std_rgb)

    def answer(self, finished: Tensor, earlier: Tensor) -> Answer:
        """What the tokens say."""
        finished, earlier = finished.float(), earlier.float()
        hints = self.hints(earlier[:, QUERIES:], finished[:, QUERIES:])
        first = self._geometry(self.backbone.first_estimate(finished[:, :QUERIES]))
        refined = self.refine_net(finished[:, QUERIES:], first.estimate, first.vertices.detach())
        return Answer(first, self._geometry(refined), hints)

    def _geometry(self, estimate: Estimate) -> Geometry:
        rotations = rotations_of(estimate.pose_6d)
        vertices, keypoints = self.mano(rotations, estimate.betas)
        return Geometry(estimate, rotations, vertices, keypoints, projected(keypoints, estimate.camera))
