"""The MANO hand in PyTorch, for the losses; the formulas are those of `wilor_sidecar.model.mano`."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.hand import PARENTS


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
        offsets = places - (turns @ joints[..., None])[..., 0]
        motion = torch.cat([turns, offsets[..., None]], dim=-1).reshape(batch, 16, 12)
        blended = (self.lbs_weights @ motion).reshape(batch, -1, 3, 4)
        vertices = (blended[..., :3] @ rest[..., None])[..., 0] + blended[..., 3]
        return vertices, torch.cat([places, vertices[:, self.extra_joints_idxs]], dim=1)[:, self.joint_map]


def _chain(rotations: Tensor, joints: Tensor) -> tuple[Tensor, Tensor]:
    turns, places = [rotations[:, 0]], [joints[:, 0]]
    for bone in range(1, 16):
        parent = PARENTS[bone]
        turns.append(turns[parent] @ rotations[:, bone])
        vector = (joints[:, bone] - joints[:, parent])[..., None]
        places.append(places[parent] + (turns[parent] @ vector)[..., 0])
    return torch.stack(turns, dim=1), torch.stack(places, dim=1)
