"""A network, its average and its optimizers: takes batches, learns from them."""

import copy
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from training.crew import Crew
from training.model import HandNetwork
from training.muon import Muon
from training.objective import loss_of
from training.picture_pool import Batch
from training.poses import Truth
from training.replay import Replay
from training.state import load_everything, load_served, save_everything

_RATE = 6e-4
_MATRIX_RATE = 1.2e-3
_DECAY = 0.03
_LONGEST_GRADIENT = 1.0
_WARM_UP_STEPS = 600
_FALLS_AFTER = 0.4
_LOWEST_RATE = 0.01
_AVERAGED_OVER = 1000


class Trainer:
    """What one process does of the training."""

    def __init__(self, network: HandNetwork, crew: Crew, draw: Callable[[], Batch]) -> None:
        """Train a network, as one of a crew, on the batches that `draw` gives."""
        self.network = network.to(crew.device)
        self.average = copy.deepcopy(self.network).eval()
        self._crew = crew
        self._draw = draw
        self._parameters = list(network.parameters())
        self._optimizers, self._rates = _optimizers(network, crew.device)
        self._gradient = torch.zeros(sum(parameter.numel() for parameter in self._parameters), device=crew.device)
        self._steps = 0
        self._judge = _judge
        if crew.device.type == "cuda":
            for layer in (network.backbone.patch_embed, *network.backbone.blocks):
                layer.compile(dynamic=False)
            self._judge = torch.compile(_judge, dynamic=False)
        self._learn, self._move = (Replay(work, crew.device) for work in (self._find_gradient, self._follow_gradient))

    def start_from(self, served: Path) -> None:
        """Take the weights of an earlier run's served network."""
        for network in (self.network, self.average):
            load_served(network, served)

    def resume(self, state: Path) -> None:
        """Take up where an earlier run on this host stopped."""
        self._steps = load_everything(self._parts(), state)
        # Loading puts copies in the place of what the rates are kept in.
        for optimizer, (kept, _) in zip(self._optimizers.values(), self._rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = kept

    def leave(self, state: Path) -> None:
        """Leave everything for the next run on this host."""
        save_everything(self._parts(), self._steps, state)

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        return {"network": self.network, "average": self.average, **self._optimizers}

    def step(self, progress: float) -> Tensor:
        """Learn from a batch; the loss, still on the device, good until the next step."""
        share = rate_at(progress, self._steps)
        for kept, highest in self._rates:
            kept.fill_(highest * share)
        loss = self._learn()
        self._crew.add_up(self._gradient)
        self._move()
        self._steps += 1
        return loss

    def _find_gradient(self) -> Tensor:
        batch = self._draw()
        with torch.autocast(self._crew.device.type, torch.bfloat16):
            finished, earlier = self.network.tokens(batch.pictures)
        loss = self._judge(self.network, finished, earlier, batch.truth)
        gradients = torch.autograd.grad(loss, self._parameters)
        torch.cat([gradient.flatten() for gradient in gradients], out=self._gradient)
        return loss.detach()

    @torch.no_grad()
    def _follow_gradient(self) -> None:
        """Step along the crew's mean gradient, no longer than its limit; a gradient that is not a number is zero."""
        self._gradient /= self._crew.size
        length = self._gradient.norm()
        self._gradient.nan_to_num_(0, 0, 0)
        self._gradient *= torch.where(length.isfinite(), (_LONGEST_GRADIENT / (length + 1e-9)).clamp(max=1), 0)
        parts = self._gradient.split([parameter.numel() for parameter in self._parameters])
        for parameter, part in zip(self._parameters, parts, strict=True):
            parameter.grad = part.view_as(parameter)
        for optimizer in self._optimizers.values():
            optimizer.step()
        # The average moves a little towards the weights; norms' statistics are taken as they are.
        torch._foreach_lerp_(list(self.average.parameters()), self._parameters, 1 / _AVERAGED_OVER)
        torch._foreach_copy_(list(self.average.buffers()), list(self.network.buffers()))


def _judge(network: HandNetwork, finished: Tensor, earlier: Tensor, truth: Truth) -> Tensor:
    """The loss of what a network's tokens say."""
    return loss_of(network.answer(finished, earlier), truth, network.mano, network.hints)


def _optimizers(
    network: HandNetwork, device: torch.device
) -> tuple[dict[str, torch.optim.Optimizer], list[tuple[Tensor, float]]]:
    """Muon for the blocks' matrices, AdamW for the rest; and their rates: where each is kept, and its highest value."""
    matrices = [parameter for parameter in network.backbone.blocks.parameters() if parameter.ndim == 2]
    taken = {id(matrix) for matrix in matrices}
    others = [parameter for parameter in network.parameters() if id(parameter) not in taken]
    rates = [(torch.tensor(rate, device=device), rate) for rate in (_MATRIX_RATE, _RATE)]
    on_gpu = device.type == "cuda"
    adamw = torch.optim.AdamW(
        others, rates[1][0], weight_decay=_DECAY, betas=(0.9, 0.98), fused=on_gpu, capturable=on_gpu
    )
    return {"muon": Muon(matrices, rates[0][0], _DECAY), "adamw": adamw}, rates


def rate_at(progress: float, steps: int) -> float:
    """The share of the full learning rate: up over the first steps, level, then down in a straight line."""
    falling = max(0.0, (min(1.0, progress) - _FALLS_AFTER) / (1 - _FALLS_AFTER))
    return min(1.0, (steps + 1) / _WARM_UP_STEPS) * (1 - (1 - _LOWEST_RATE) * falling)
