"""Posed hands in batches, on the GPU: bones turned, flesh carried along.

The same chain as the served MANO layer, for the capsules that are drawn. Torch only.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.hand import FOREARM, PARENTS, Floats, Hand, hand_of_shape
from wilor_sidecar.weights.layout import OPENPOSE_ORDER

_LEVELS = ((1, 4, 7, 10, 13), (2, 5, 8, 11, 14), (3, 6, 9, 12, 15))
_BETAS = 10


@dataclass(frozen=True)
class PosedHands:
    """B hands before the camera.

    Attributes:
        capsules: (B, N, 12) ends, radii, dorsal directions and nails, as the renderer takes them; m.
        keypoints: (B, 21, 3) in OpenPose order; m.
    """

    capsules: Tensor
    keypoints: Tensor


class HandModel:
    """The hand of `hand.py` as tensors, linear in its shape numbers."""

    def __init__(self, device: torch.device) -> None:
        mean = hand_of_shape(np.zeros(_BETAS))
        steps = [hand_of_shape(np.eye(_BETAS)[k]) for k in range(_BETAS)]

        def linear(part: Callable[[Hand], Floats]) -> tuple[Tensor, Tensor]:
            change = np.stack([part(step) - part(mean) for step in steps], axis=-1)
            return _tensor(part(mean), device), _tensor(change, device)

        self._joints = linear(lambda hand: hand.joints)
        self._tips = linear(lambda hand: hand.tips)
        self._ends = linear(lambda hand: hand.flesh.ends)
        self._radii = linear(lambda hand: hand.flesh.radii)
        flesh = mean.flesh
        self._bones = torch.as_tensor(flesh.bones, device=device)
        self._dorsal = _tensor(flesh.dorsal, device)
        self._nails = _tensor(flesh.nails.astype(np.float64), device)
        self.groups = torch.as_tensor(flesh.groups, dtype=torch.int32, device=device)
        self._tip_bones = torch.tensor([15, 3, 6, 12, 9], device=device)  # thumb, index, middle, ring, little
        self._order = torch.tensor(OPENPOSE_ORDER, device=device)

    def posed(self, rotations: Tensor, forearm: Tensor, betas: Tensor, translation: Tensor) -> PosedHands:
        """Bend hands and put them before the camera.

        Args:
            rotations: (B, 16, 3, 3) each relative to its parent, the wrist's to the camera.
            forearm: (B, 3, 3) relative to the wrist.
            betas: (B, 10).
            translation: (B, 3) m, added at the end as upstream's camera does.
        """
        joints, places, turns = self._chain(rotations, forearm, betas)
        ends = _shaped(self._ends, betas)
        radii = _shaped(self._radii, betas)
        moved = _carried(ends, joints, places, turns, self._bones) + translation[:, None, None]
        dorsal = torch.einsum("bnij,nj->bni", turns[:, self._bones[:, 1]], self._dorsal)
        nails = self._nails[None, :, None].expand(len(betas), -1, 1)
        capsules = torch.cat([moved[:, :, 0], radii[..., :1], moved[:, :, 1], radii[..., 1:], dorsal, nails], dim=-1)
        keypoints = self._keypoints(joints, places, turns, betas) + translation[:, None]
        return PosedHands(capsules.contiguous(), keypoints)

    def keypoints(self, rotations: Tensor, forearm: Tensor, betas: Tensor) -> Tensor:
        """(B, 21, 3) of `posed`, not yet before the camera."""
        return self._keypoints(*self._chain(rotations, forearm, betas), betas)

    def thumb_tips(self, bends: Tensor, betas: Tensor) -> Tensor:
        """(B, T, 3) where the thumb's tip comes to when its bones are turned by (B, T, 3, 3, 3), the wrist at rest."""
        joints = _shaped(self._joints, betas)[:, None]
        place, turn = joints[:, :, 13], bends[:, :, 0]
        for link, bone in enumerate((14, 15), start=1):
            place = place + (turn @ (joints[:, :, bone] - joints[:, :, bone - 1])[..., None])[..., 0]
            turn = turn @ bends[:, :, link]
        tip = _shaped(self._tips, betas)[:, None, 0]
        return place + (turn @ (tip - joints[:, :, 15])[..., None])[..., 0]

    def _keypoints(self, joints: Tensor, places: Tensor, turns: Tensor, betas: Tensor) -> Tensor:
        tips = _carried(_shaped(self._tips, betas), joints, places, turns, self._tip_bones)
        return torch.cat([places[:, :16], tips], dim=1)[:, self._order]

    def _chain(self, rotations: Tensor, forearm: Tensor, betas: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rest joints (B, 17, 3), places and turns of 17 bones relative to the camera."""
        joints = _shaped(self._joints, betas)
        turns: list[Tensor] = [torch.empty(0)] * 17
        places: list[Tensor] = [torch.empty(0)] * 17
        turns[0], places[0] = rotations[:, 0], joints[:, 0]
        for level in _LEVELS:
            for bone in level:
                parent = PARENTS[bone]
                turns[bone] = turns[parent] @ rotations[:, bone]
                bone_vector = (joints[:, bone] - joints[:, parent])[..., None]
                places[bone] = places[parent] + (turns[parent] @ bone_vector)[..., 0]
        turns[FOREARM], places[FOREARM] = turns[0] @ forearm, places[0]
        joints = torch.cat([joints, joints[:, :1]], dim=1)  # the forearm turns about the wrist
        return joints, torch.stack(places, dim=1), torch.stack(turns, dim=1)


def _tensor(array: Floats, device: torch.device) -> Tensor:
    return torch.as_tensor(array, dtype=torch.float32, device=device)


def _shaped(linear: tuple[Tensor, Tensor], betas: Tensor) -> Tensor:
    base, change = linear
    return base + torch.einsum("...k,bk->b...", change, betas)


def _carried(points: Tensor, joints: Tensor, places: Tensor, turns: Tensor, bones: Tensor) -> Tensor:
    """Points (B, *bones.shape, 3) at rest, each carried by its bone."""
    relative = (points - joints[:, bones])[..., None]
    return places[:, bones] + (turns[:, bones] @ relative)[..., 0]
