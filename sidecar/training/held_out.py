"""Renders that no training step sees: the same ones in every run."""

from collections.abc import Callable

import torch

from training.model import HandNetwork
from training.objective import errors_of
from training.picture_pool import Batch

SEED = 20_260_101
COUNT = 2000
_AT_ONCE = 250


class HeldOut:
    """The pictures, and how far a network is off on them."""

    def __init__(self, draw: Callable[[int], Batch]) -> None:
        """Draw the pictures; the state of the random numbers is left as it was."""
        with torch.random.fork_rng(devices=[torch.cuda.current_device()]):
            torch.manual_seed(SEED)
            self._batches = [_small(draw(_AT_ONCE)) for _ in range(COUNT // _AT_ONCE)]

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
