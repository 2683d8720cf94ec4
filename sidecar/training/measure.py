"""Measures the shipped weights on renders drawn anew, for the model card: `python -m training.measure`.

Unlike `held_out`, which watches a run, this tells how errors are spread. On a CPU it takes a good while.
"""

import argparse
import sys

import torch
from torch import Tensor

from training.mano_arrays import mano_arrays
from training.model import HandNetwork
from training.objective import errors_of, off_in_picture
from training.painter import make_batch
from training.poses import PoseSampler
from training.state import load_served
from wilor_sidecar.weights.model_config import WEIGHTS_FILE, read_config
from wilor_sidecar.weights.store import EMBEDDED_FOLDER

_SEED = 20_260_103
_AT_ONCE = 100
_NEAR, _NOT_FAR = 0.1, 0.2
"""In parts of the hand's box: the shares of joints within these are what photographs are judged by."""


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Measure the shipped weights on renders drawn anew.")
    parser.add_argument("--count", type=int, default=2000, help="how many (default: 2000)")
    parser.add_argument("--strength", type=float, default=1.0, help="of what makes renders hard, 0 to 1 (default: 1)")
    arguments = parser.parse_args()
    found = measured(shipped(), arguments.count, arguments.strength)
    sys.stdout.write("\n".join(_lines(found)) + "\n")


@torch.no_grad()
def measured(network: HandNetwork, count: int, strength: float) -> dict[str, Tensor]:
    """How far a network is off.

    Args:
        network: in evaluation mode.
        count: how many hands.
        strength: see `renderer.pictures`.

    Returns:
        (count,) `aligned_mm` and `box_per_cent` of both stages, as "first_aligned_mm"; and "joints", (count, 21), how
        far each refined joint is off in the picture, in parts of the hand's box.
    """
    torch.manual_seed(_SEED)
    device = next(network.parameters()).device
    sampler = PoseSampler(device)
    parts: dict[str, list[Tensor]] = {}
    for done in range(0, count, _AT_ONCE):
        batch = make_batch(sampler, min(_AT_ONCE, count - done), strength)
        answer = network(batch.pictures.round())
        for stage, geometry in (("first", answer.first), ("refined", answer.refined)):
            for name, values in errors_of(geometry, batch.truth, network.mano).items():
                parts.setdefault(f"{stage}_{name}", []).append(values.cpu())
        parts.setdefault("joints", []).append(off_in_picture(answer.refined, batch.truth).norm(dim=-1).cpu())
    return {name: torch.cat(values) for name, values in parts.items()}


def shipped() -> HandNetwork:
    """The package's weights, on the GPU if there is one."""
    sizes = read_config(EMBEDDED_FOLDER).sizes
    network = HandNetwork(sizes.width, sizes.depth, sizes.heads, mano_arrays())
    load_served(network, EMBEDDED_FOLDER / WEIGHTS_FILE)
    return network.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def _lines(found: dict[str, Tensor]) -> list[str]:
    shares = ", ".join(f"{100 * (found['joints'] < limit).float().mean():.1f} %" for limit in (_NEAR, _NOT_FAR))
    return [
        *(f"{name}: {_spread(values)}" for name, values in found.items() if name != "joints"),
        f"joints within {_NEAR} and {_NOT_FAR} of the box: {shares}",
    ]


def _spread(values: Tensor) -> str:
    median, most = torch.quantile(values, torch.tensor([0.5, 0.9]))
    return f"mean {values.mean():.3f}, median {median:.2f}, nine in ten below {most:.2f}"


if __name__ == "__main__":
    main()
