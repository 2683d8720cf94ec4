"""Renders that no training step sees: the same ones in every run."""

import torch

from training.model import HandNetwork
from training.objective import errors_of
from training.painter import make_batch
from training.picture_pool import Batch
from training.poses import PoseSampler

SEED = 20_260_101
COUNT = 2000
_AT_ONCE = 250


class HeldOut:
    """The pictures, and how far a network is off on them."""

    def __init__(self, device: torch.device) -> None:
        """Draw the pictures, as hard as they get."""
        torch.manual_seed(SEED)
        sampler = PoseSampler(device)
        self._batches = [_small(make_batch(sampler, _AT_ONCE, 1.0)) for _ in range(COUNT // _AT_ONCE)]

    @torch.no_grad()
    def errors(self, network: HandNetwork, count: int = COUNT) -> dict[str, float]:
        """Mean errors of both estimates over the first `count` pictures: see `errors_of`."""
        totals: dict[str, float] = {}
        batches = self._batches[: count // _AT_ONCE]
        for batch in batches:
            answer = network(batch.pictures.float())
            for stage, geometry in (("first", answer.first), ("refined", answer.refined)):
                for name, values in errors_of(geometry, batch.truth, network.mano).items():
                    key = f"{stage}_{name}"
                    totals[key] = totals.get(key, 0.0) + values.mean().item() / len(batches)
        return totals


def _small(batch: Batch) -> Batch:
    return Batch(batch.pictures.round().to(torch.uint8), batch.truth)
