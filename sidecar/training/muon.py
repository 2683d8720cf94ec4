"""The Muon optimizer for the transformer's matrices: momentum, made orthogonal before it is applied.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024), with the scale of Liu et al., "Muon is
scalable for LLM training" (arXiv 2502.16982), under which AdamW's rates and weight decay fit. Matrices of one shape are
treated together, in one product for all.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5
_SCALE = 0.2


class Muon(torch.optim.Optimizer):
    """Steps matrices along the orthogonal factor of their momentum; `lr` is a tensor, so that steps can be replayed."""

    def __init__(self, matrices: Iterable[Tensor], lr: Tensor, weight_decay: float, momentum: float = 0.95) -> None:
        super().__init__(list(matrices), {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # noqa: ARG002 - as every optimizer
        """Take a step; every matrix must have a gradient."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[Tensor]] = {}
            for matrix in group["params"]:
                shapes.setdefault(matrix.shape, []).append(matrix)
            for matrices in shapes.values():
                self._step_alike(matrices, group["lr"], group["weight_decay"], group["momentum"])

    def _step_alike(self, matrices: list[Tensor], lr: Tensor, weight_decay: float, momentum: float) -> None:
        for matrix in matrices:
            if not self.state[matrix]:
                self.state[matrix]["momentum"] = torch.zeros_like(matrix)
        buffers = [self.state[matrix]["momentum"] for matrix in matrices]
        gradients = [matrix.grad for matrix in matrices]
        torch._foreach_lerp_(buffers, gradients, 1 - momentum)
        ahead = torch._foreach_lerp(gradients, buffers, momentum)  # Nesterov's
        steps = orthogonal(torch.stack(ahead)).to(matrices[0].dtype)
        torch._foreach_mul_(matrices, 1 - lr * weight_decay)
        torch._foreach_sub_(matrices, list((steps * (lr * _SCALE * max(matrices[0].shape) ** 0.5)).unbind()))


def orthogonal(matrices: Tensor) -> Tensor:
    """(N, rows, columns) bfloat16, near the orthogonal factors of the matrices: five Newton-Schulz rounds."""
    x = matrices.bfloat16()
    tall = x.shape[1] > x.shape[2]
    x = x.transpose(1, 2) if tall else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = _COEFFICIENTS
    for _ in range(_ROUNDS):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.transpose(1, 2) if tall else x
