"""wilor-mlx beside our network: the same weights, crops, BLAS and process, taking turns.

It is installed by whoever wants to compare (`pip install wilor-mlx`), and knows the published size only.
"""

import contextlib
import importlib.util
import io
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from wilor_sidecar.bench.samples import Samples, timed
from wilor_sidecar.mlx import mx
from wilor_sidecar.model import Wilor
from wilor_sidecar.weights.layout import Sizes
from wilor_sidecar.weights.model_config import WEIGHTS_FILE
from wilor_sidecar.weights.seeded import crops
from wilor_sidecar.weights.wilor_mlx_files import as_published

_PEER_SIZES = Sizes(width=1280, depth=32, heads=16)
_CROPS_SEED = 1


@dataclass(frozen=True)
class Comparison:
    """Two networks on the same crop.

    Attributes:
        worst_vertex_mm: between their answers.
    """

    ours: Samples
    peer: Samples
    worst_vertex_mm: float

    def lines(self) -> Iterator[str]:
        """For people."""
        yield self.ours.line()
        yield self.peer.line()
        ratio = self.ours.median_ms / self.peer.median_ms
        yield f"ours takes {ratio:.3f} of the peer's time; worst vertex {self.worst_vertex_mm:.4f} mm apart"


def can_compare(model: Wilor) -> bool:
    """Whether the peer is installed and knows this size."""
    is_float32 = model.config.dtype == "float32"
    return is_float32 and model.config.network == _PEER_SIZES and importlib.util.find_spec("wilor_mlx") is not None


def compare(model: Wilor, folder: Path, runs: int) -> Comparison:
    """Time both at batch 1, by turns.

    Args:
        model: ours, loaded from `folder`.
        folder: with the weights for the peer.
        runs: of each.
    """
    peer = _load_peer(folder)
    pixels = crops(_CROPS_SEED, 1)

    def run_peer() -> np.ndarray[Any, Any]:
        outputs = peer(mx.array(pixels))
        mx.eval(outputs)
        return np.array(outputs["pred_vertices"])

    apart_m = np.abs(model(pixels)["pred_vertices"] - run_peer()).max()
    times = [(timed(lambda: model(pixels)), timed(run_peer)) for _ in range(runs)]
    ours, theirs = (tuple(column) for column in zip(*times, strict=True))
    return Comparison(
        Samples("wilor-sidecar, batch 1", ours),
        Samples(f"wilor-mlx {version('wilor-mlx')}, batch 1", theirs),
        float(apart_m) * 1e3,
    )


def _load_peer(folder: Path) -> Any:
    from wilor_mlx.model import WiLoR  # noqa: PLC0415 - present only where somebody wants to compare

    tensors = load_file(folder / WEIGHTS_FILE)
    with tempfile.TemporaryDirectory() as temporary:
        weights, mano = Path(temporary) / "peer.safetensors", Path(temporary) / "mano.npz"
        network, hand = as_published(tensors)
        save_file(network, weights)
        np.savez(mano, allow_pickle=False, **hand)
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it loads
            peer = WiLoR.from_pretrained(str(weights), str(mano))
        mx.eval(peer.backbone.parameters(), peer.refine_net.parameters())
    return peer
