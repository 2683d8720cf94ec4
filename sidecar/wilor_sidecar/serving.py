"""The network as the engine serves it: the model, and what there is to say about the machine under it.

Importing this imports MLX. Only the engine's thread does so.
"""

import resource
import sys
import time
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from wilor_protocol.arrays import Int32Array
from wilor_protocol.replies import Device, Memory, ModelInfo
from wilor_sidecar.blas import load_tuned_blas
from wilor_sidecar.mlx import mx
from wilor_sidecar.model import Wilor, load_model


class ServedModel:
    """A loaded WiLoR with its particulars; see `engine.Network`."""

    def __init__(self, source: str) -> None:
        """Load the model.

        Args:
            source: "embedded" or a converted folder.

        Raises:
            WeightsError: the folder is not a sound model.
        """
        self.model: Wilor = load_model(source)
        config = self.model.config
        self.faces: Int32Array = self.model.faces
        self.info = ModelInfo(
            name=config.name,
            trained=config.trained,
            width=config.network.width,
            depth=config.network.depth,
            heads=config.network.heads,
            dtype=config.dtype,
            licence=config.licence,
            source_sha256=config.source.sha256,
        )
        self.device = Device(
            name="gpu" if mx.default_device() == mx.gpu else "cpu",
            blas=load_tuned_blas(),
            gflops=round(_measured_gflops(), 1),
            mlx=version("mlx"),
        )

    def __call__(self, crops_rgb: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """See `Wilor.__call__`."""
        return self.model(crops_rgb)

    def warm_up(self, batch: int) -> None:
        """See `Wilor.warm_up`."""
        self.model.warm_up(batch)

    def memory(self) -> Memory:
        """What MLX and the process use now."""
        unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss: bytes on a Mac, KiB on Linux
        return Memory(
            active=mx.get_active_memory(),
            cache=mx.get_cache_memory(),
            peak=mx.get_peak_memory(),
            process_peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
        )

    def close(self) -> None:
        """Free this thread's streams: a thread that ends without it can crash the process at exit."""
        del self.model
        mx.clear_streams()


def _measured_gflops() -> float:
    """The speed of a float32 product of 512 x 512 matrices, best of three: it tells a tuned BLAS from none."""
    side = 512
    a = mx.random.normal((side, side))
    mx.eval(a)
    times = []
    for _ in range(3):
        started = time.perf_counter()
        mx.eval(a @ a)
        times.append(time.perf_counter() - started)
    return 2 * side**3 / min(times) / 1e9
