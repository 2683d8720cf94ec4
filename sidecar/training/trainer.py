"""A network, its average and its optimizers: takes batches, learns from them."""

import copy
from pathlib import Path

import torch
from torch import Tensor, nn

from training.crew import Crew
from training.model import HandNetwork
from training.muon import Muon
from training.objective import loss_of
from training.picture_pool import Batch
from training.poses import Truth
from training.state import load_everything, load_served, save_everything

_RATE = 6e-4
import os
_MATRIX_RATE = float(os.environ.get("MR", "1.2e-3"))
_DECAY = 0.03
_LONGEST_GRADIENT = 1.0
_WARM_UP_STEPS = 600
_FALLS_AFTER = 0.4
_LOWEST_RATE = 0.01
_AVERAGED_OVER = 1000


class Trainer:
    """What one process does of the training."""

    def __init__(self, network: HandNetwork, crew: Crew) -> None:
        self.network = network.to(crew.device)
        self.average = copy.deepcopy(self.network).eval()
        self._parameters = list(network.parameters())
        matrices = [parameter for parameter in network.backbone.blocks.parameters() if parameter.ndim == 2]
        known = {id(matrix) for matrix in matrices}
        others = [parameter for parameter in self._parameters if id(parameter) not in known]
        fused = crew.device.type == "cuda"
        self._optimizers: dict[str, torch.optim.Optimizer] = {
            "muon": Muon(matrices, _MATRIX_RATE, _DECAY) if not os.environ.get("ADAM") else torch.optim.AdamW(matrices, _RATE, weight_decay=_DECAY, betas=(0.9, 0.98), fused=fused),
            "adamw": torch.optim.AdamW(others, _RATE, weight_decay=_DECAY, betas=(0.9, 0.98), fused=fused),
        }
        self._steps = 0
        self._crew = crew
        self._loss = torch.compile(self._loss_of) if fused else self._loss_of

    def start_from(self, served: Path) -> None:
        """Take the weights of an earlier run's served network."""
        for network in (self.network, self.average):
            load_served(network, served)

    def resume(self, state: Path) -> None:
        """Take up where an earlier run on this host stopped."""
        self._steps = load_everything(self._parts(), state)

    def leave(self, state: Path) -> None:
        """Leave everything for the next run on this host."""
        save_everything(self._parts(), self._steps, state)

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        return {"network": self.network, "average": self.average, **self._optimizers}

    def step(self, batch: Batch, progress: float) -> Tensor:
        """Learn from a batch; the loss, still on the device."""
        loss = self._loss(batch.pictures, batch.truth)
        loss.backward()
        self._crew.settle_gradients(self._parameters, _LONGEST_GRADIENT)
        share = rate_at(progress, self._steps)
        for optimizer, rate in zip(self._optimizers.values(), (_MATRIX_RATE, _RATE), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * share
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self._steps += 1
        self._follow()
        return loss.detach()

    def _loss_of(self, pictures: Tensor, truth: Truth) -> Tensor:
        with torch.autocast(self._crew.device.type, torch.bfloat16):
            answer = self.network(pictures)
        return loss_of(answer, truth, self.network.mano, self.network.hints)

    @torch.no_grad()
    def _follow(self) -> None:
        """The average moves a little towards the weights; norms' statistics are taken as they are."""
        share = max(1 / _AVERAGED_OVER, 1 / (self._steps + 1))
        torch._foreach_lerp_(list(self.average.parameters()), self._parameters, share)
        torch._foreach_copy_(list(self.average.buffers()), list(self.network.buffers()))


def rate_at(progress: float, steps: int) -> float:
    """The share of the full learning rate: up over the first steps, level, then down in a straight line."""
    falling = max(0.0, (min(1.0, progress) - _FALLS_AFTER) / (1 - _FALLS_AFTER))
    return min(1.0, (steps + 1) / _WARM_UP_STEPS) * (1 - (1 - _LOWEST_RATE) * falling)
