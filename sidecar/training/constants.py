"""Small tensors of fixed numbers, made once for each device.

Copying numbers from Python to a GPU waits for all that the GPU still has to do; drawing a batch uses dozens of them.
"""

import functools
from collections.abc import Sequence

import torch
from torch import Tensor


def constant(values: Sequence[float] | Sequence[Sequence[float]], device: torch.device) -> Tensor:
    """The float32 tensor of some numbers, in one or two dimensions; not to be written to."""
    rows = tuple(tuple(row) if isinstance(row, Sequence) else row for row in values)
    return _made(rows, torch.device(device))


@functools.cache
def _made(values: tuple[object, ...], device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device=device)
