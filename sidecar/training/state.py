"""What a run leaves behind: the averaged network to serve, and, for a run that follows on the same host, everything.

The served file also starts a later run elsewhere: weights without the optimizer's memory, which a new warm-up rebuilds.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from training.model import HandNetwork
from training.served_file import metadata_of

SERVED = "embedded.safetensors"
_NOT_SERVED = ("num_batches_tracked", "hints.")
_HAND = "mano."


def save_served(network: HandNetwork, path: Path) -> None:
    """Write a network under upstream's names: blocks in float16, the rest, the hand too, in float32."""
    served: dict[str, Tensor] = {}
    for name, tensor in network.state_dict().items():
        if any(part in name for part in _NOT_SERVED):
            continue
        half = name.startswith("backbone.blocks.")
        dtype = tensor.dtype if not tensor.is_floating_point() else torch.float16 if half else torch.float32
        served[name] = tensor.to(dtype).contiguous().cpu()
    save_file(served, path, metadata_of(network.backbone.blocks[0].attn.heads))


def load_served(network: nn.Module, path: Path) -> None:
    """Take a served network's weights, but for its hand: that is always today's."""
    learnt = {name: tensor for name, tensor in load_file(path).items() if not name.startswith(_HAND)}
    missing, unexpected = network.load_state_dict(learnt, strict=False)
    expected = (*_NOT_SERVED, _HAND)
    wrong = [name for name in missing if not any(part in name for part in expected)] + unexpected
    if wrong:
        raise ValueError(f"{path}: not this network's: {wrong[:5]}")


def save_everything(parts: dict[str, nn.Module | torch.optim.Optimizer], steps: int, path: Path) -> None:
    """Write all that the next run on this host needs."""
    torch.save({"steps": steps} | {name: part.state_dict() for name, part in parts.items()}, path)


def load_everything(parts: dict[str, nn.Module | torch.optim.Optimizer], path: Path) -> int:
    """Take up where `save_everything` left off; returns the number of steps done."""
    stored = torch.load(path, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(stored[name])
    return int(stored["steps"])
