"""The MANO hand in PyTorch, for the losses; the formulas are those of `wilor_sidecar.model.mano`.

Products of 3 x 3 matrices are written as sums of products, which the compiler fuses: as calls of a matrix library, some
hundred thousand tiny products a batch took as long as a third of the backbone.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_LEVELS = ((1, 4, 7, 10, 13), (2, 5, 8, 11, 14), (3, 6, 9, 12, 15))
"""First, second and third bones of index, middle, little, ring, thumb."""
_IN_ORDER = [0, *(1 + 5 * (bone % 3) + bone // 3 for bone in range(15))]
"""Where each bone stands after the wrist and the three levels."""


class ManoLayer(nn.Module):
    """From rotations and shape to vertices and keypoints."""

    def __init__(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Take MANO's arrays under upstream's names, without `mano.`."""
        super().__init__()
        floats = {
            name: torch.as_tensor(np.asarray(arrays[name]), dtype=torch.float32)
            for name in ("v_template", "shapedirs", "posedirs", "J_regressor", "lbs_weights")
        }
        for name, tensor in floats.items():
            self.register_buffer(name, tensor)
        for name in ("parents", "faces_tensor", "extra_joints_idxs", "joint_map"):
            self.register_buffer(name, torch.as_tensor(np.asarray(arrays[name]), dtype=torch.long))
        joint_shapes = torch.einsum("jv,vck->jck", floats["J_regressor"], floats["shapedirs"])
        self.register_buffer("joint_template", floats["J_regressor"] @ floats["v_template"], persistent=False)
        self.register_buffer("joint_shapes", joint_shapes, persistent=False)

    def forward(self, rotations: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 16, 3, 3) and (B, 10) to vertices (B, 778, 3) and keypoints (B, 21, 3), m."""
        batch = len(betas)
        rest = self.v_template + torch.einsum("vck,bk->bvc", self.shapedirs, betas)
        bend = (rotations[:, 1:] - torch.eye(3, device=betas.device)).reshape(batch, -1)
        rest = rest + (bend @ self.posedirs).reshape(batch, -1, 3)
        joints = self.joint_template + torch.einsum("jck,bk->bjc", self.joint_shapes, betas)
        turns, places = _chain(rotations, joints)
        offsets = places - _moved(turns, joints)
        motion = torch.cat([turns, offsets[..., None]], dim=-1).reshape(batch, 16, 12)
        blended = (self.lbs_weights @ motion).reshape(batch, -1, 3, 4)
        vertices = _moved(blended[..., :3], rest) + blended[..., 3]
        return vertices, torch.cat([places, vertices[:, self.extra_joints_idxs]], dim=1)[:, self.joint_map]


def _chain(rotations: Tensor, joints: Tensor) -> tuple[Tensor, Tensor]:
    """Turns (B, 16, 3, 3) and places (B, 16, 3) of all bones: the wrist, then five fingers at a time."""
    turn, place, before = rotations[:, :1], joints[:, :1], joints[:, :1]
    turns, places = [turn], [place]
    for level in _LEVELS:
        here = joints[:, level]
        place = place + _moved(turn, here - before)
        turn = _product(turn, rotations[:, level])
        turns.append(turn)
        places.append(place)
        before = here
    return torch.cat(turns, dim=1)[:, _IN_ORDER], torch.cat(places, dim=1)[:, _IN_ORDER]


def _product(a: Tensor, b: Tensor) -> Tensor:
    """The products (..., 3, 3) of a and b."""
    return (a[..., :, :, None] * b[..., None, :, :]).sum(dim=-2)


def _moved(turns: Tensor, points: Tensor) -> Tensor:
    """(..., 3) each point turned by its (..., 3, 3)."""
    return (turns * points[..., None, :]).sum(dim=-1)
