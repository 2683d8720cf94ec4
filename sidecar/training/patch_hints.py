"""What the patches are asked besides: which of them shows which joint, where in it, and how far away.

A transformer that is only told about eighteen query tokens takes long to find out that patches have places. So tokens
of a block before the last ones are asked directly, and what they learn to say the query tokens can read in the blocks
that follow. The finished tokens of the corner are asked for the whole hand: they are all that RefineNet reads, and lie
where seldom anything is to be seen. Only training does this: the questions' layers are not served.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from training.network import CORNER

_ROWS, _COLUMNS = 16, 12
_JOINTS = 21
_PATCH = 1 / 16
"""A patch's side, in parts of the crop's."""
_PAD = 2 / 256
"""The patches begin this far before the picture; see `PatchEmbed`."""
_DECIMETRES = 10.0
_SPREAD = 0.7
"""How widely a joint is shared among patches: deviation, in patches."""


@dataclass(frozen=True)
class Hints:
    """What the patches say.

    Attributes:
        joints: (B, 192, 4, 21) each patch's evidence for each joint; its place x, y from the patch; its depth.
        hand: (B, 21, 5) what the corner says of each joint: x, y in parts of the crop's side, then dm from the wrist.
    """

    joints: Tensor
    hand: Tensor


class PatchHints(nn.Module):
    """Asks patch tokens for joints, and the corner's for all of them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.ask = nn.Linear(width, 4 * _JOINTS)
        self.ask_corner = nn.Linear(len(CORNER) * width, 5 * _JOINTS)
        self.register_buffer("centres", _patch_centres(), persistent=False)

    def forward(self, earlier: Tensor, finished: Tensor) -> Hints:
        """What (B, 192, width) patch tokens say: those of three quarters of the blocks, and the finished ones."""
        joints = self.ask(self.norm(earlier)).unflatten(-1, (4, _JOINTS))
        return Hints(joints, self.ask_corner(finished[:, CORNER].flatten(1)).unflatten(-1, (_JOINTS, 5)))

    def loss(self, hints: Hints, keypoints_2d: Tensor, keypoints: Tensor) -> Tensor:
        """How wrong the hints are.

        Args:
            hints: of B pictures.
            keypoints_2d: (B, 21, 2) in parts of the crop's side, 0 in the middle.
            keypoints: (B, 21, 3) m.
        """
        from_wrist = _DECIMETRES * (keypoints - keypoints[:, :1])
        hand = (hints.hand - torch.cat([keypoints_2d, from_wrist], dim=-1)).abs().mean()
        return self._joints_loss(hints.joints, keypoints_2d, from_wrist[..., 2]) + 0.5 * hand

    def _joints_loss(self, answers: Tensor, keypoints_2d: Tensor, depth: Tensor) -> Tensor:
        away = (keypoints_2d[:, None] - self.centres[:, None]) / _PATCH
        square = away.square().sum(dim=-1)
        share = torch.softmax(-square / (2 * _SPREAD**2), dim=1)
        seen = (square.amin(dim=1, keepdim=True) < 1).float()  # joints outside the middle columns have no patch
        evidence = -(share * seen * nnf.log_softmax(answers[:, :, 0], dim=1)).sum(dim=1).mean()
        misplaced = (answers[:, :, 1:3] - away.permute(0, 1, 3, 2)).abs().sum(dim=2)
        wrong = misplaced + (answers[:, :, 3] - depth[:, None]).abs()
        return 0.2 * evidence + 0.4 * (share * seen * wrong).sum(dim=1).mean()


def _patch_centres() -> Tensor:
    """(192, 2) x and y in parts of the crop's side, 0 in its middle, row by row."""
    x = (torch.arange(_COLUMNS) + 0.5) * _PATCH - 0.375 - _PAD
    y = (torch.arange(_ROWS) + 0.5) * _PATCH - 0.5 - _PAD
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).reshape(-1, 2)
