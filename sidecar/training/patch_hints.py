"""What the patches are asked besides: which of them shows which joint, where in it, and how far away.

A transformer that is only told about eighteen query tokens takes long to find out that patches have places. So tokens
of a block before the last ones are asked directly, and what they learn to say the query tokens can read in the blocks
that follow. Only training does this: the questions' layer is not served.
"""

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

_ROWS, _COLUMNS = 16, 12
_JOINTS = 21
_PATCH = 1 / 16
"""A patch's side, in parts of the crop's."""
_PAD = 2 / 256
"""The patches begin this far before the picture; see `Backbone`."""
_SPREAD = 0.7
"""How widely a joint is shared among patches: deviation, in patches."""


class PatchHints(nn.Module):
    """Asks patch tokens for joints."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.ask = nn.Linear(width, 4 * _JOINTS)
        self.register_buffer("centres", _patch_centres(), persistent=False)

    def forward(self, patches: Tensor) -> Tensor:
        """(B, 192, 4, 21) of (B, 192, width) tokens: evidence for each joint; its place x, y from the patch; depth."""
        return self.ask(self.norm(patches)).unflatten(-1, (4, _JOINTS))

    def loss(self, answers: Tensor, keypoints_2d: Tensor, keypoints: Tensor) -> Tensor:
        """How wrong the answers are.

        Args:
            answers: (B, 192, 4, 21).
            keypoints_2d: (B, 21, 2) in parts of the crop's side, 0 in the middle.
            keypoints: (B, 21, 3) m.
        """
        away = (keypoints_2d[:, None] - self.centres[:, None]) / _PATCH
        square = away.square().sum(dim=-1)
        share = torch.softmax(-square / (2 * _SPREAD**2), dim=1)
        seen = (square.amin(dim=1, keepdim=True) < 1).float()  # joints outside the middle columns have no patch
        evidence = -(share * seen * nnf.log_softmax(answers[:, :, 0], dim=1)).sum(dim=1).mean()
        depth = 10 * (keypoints[..., 2] - keypoints[:, :1, 2])[:, None]
        wrong = (answers[:, :, 1:3] - away.permute(0, 1, 3, 2)).abs().sum(dim=2) + (answers[:, :, 3] - depth).abs()
        return 0.2 * evidence + 0.4 * (share * seen * wrong).sum(dim=1).mean()


def _patch_centres() -> Tensor:
    """(192, 2) x and y in parts of the crop's side, 0 in its middle, row by row."""
    x = (torch.arange(_COLUMNS) + 0.5) * _PATCH - 0.375 - _PAD
    y = (torch.arange(_ROWS) + 0.5) * _PATCH - 0.5 - _PAD
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).reshape(-1, 2)
