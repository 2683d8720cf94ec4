"""The network as the engine serves it: the model, and what there is to say about the machine under it.

Importing this imports MLX. Only the engine's thread does so.
"""

import gc
import logging
import threading
import time
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from wilor_protocol.arrays import Int32Array
from wilor_protocol.replies import Device, Memory, ModelInfo
from wilor_sidecar.blas import SLOW_GFLOPS, load_tuned_blas
from wilor_sidecar.device import device_name
from wilor_sidecar.memory_limits import limit_memory, release_memory
from wilor_sidecar.mlx import mx
from wilor_sidecar.model import load_model
from wilor_sidecar.process_memory import peak_bytes

log = logging.getLogger(__name__)

_SMALL_SIDE = 256
_TIMED_S = 0.2
_LEAST_TIMES = 3
_PRODUCT_TOLERANCE = 0.25
"""Entries are about 23 large; TF32, which somebody may have turned on, is right to about 0.05."""


class ServedModel:
    """A loaded WiLoR with its particulars; see `runner.Network`."""

    def __init__(self, source: str) -> None:
        """Load the model.

        Args:
            source: "embedded" or a converted folder.

        Raises:
            WeightsError: the folder is not a sound model, or not the one that it was made as.
        """
        self._owner = threading.get_ident()
        self.model = load_model(source, check_digest=True)
        limit_memory()
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
        self._small = mx.ones((_SMALL_SIDE, _SMALL_SIDE))
        self.device = Device(
            name=device_name(),
            blas=load_tuned_blas(),
            gflops=round(checked_gflops(), 1),
            mlx=version("mlx"),
        )

    def __call__(self, crops_rgb: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """See `Wilor.__call__`.

        Raises:
            RuntimeError: called from another thread than the one that loaded the model.
        """
        if threading.get_ident() != self._owner:  # MLX would not always notice, and trace everything anew
            raise RuntimeError(f"the model belongs to thread {self._owner}, not to {threading.current_thread().name}")
        return self.model(crops_rgb)

    def warm_up(self, batch: int) -> None:
        """See `Wilor.warm_up`."""
        self.model.warm_up(batch)

    def stay_warm(self) -> None:
        """A product of small matrices."""
        mx.eval(self._small @ self._small)

    def recover(self) -> None:
        """Give back what MLX keeps for reuse: a failed batch may have left it in a state, or short of memory."""
        mx.clear_cache()

    def memory(self) -> Memory:
        """What MLX and the process use now."""
        return Memory(
            active=mx.get_active_memory(),
            cache=mx.get_cache_memory(),
            peak=mx.get_peak_memory(),
            process_peak=peak_bytes(),
        )

    def close(self) -> None:
        """Free this thread's streams: a thread that ends without it can crash the process at exit."""
        del self.model, self._small
        gc.collect()
        release_memory()
        mx.clear_streams()


def checked_gflops() -> float:
    """The speed of a float32 product of 512 x 512 matrices: it tells a tuned BLAS from none.

    The best of three; where they seem slow, of what fits into a fifth of a second: they may have been disturbed.

    Raises:
        RuntimeError: the product is wrong: a BLAS that does not fit MLX has been loaded.
    """
    side = 512
    a = np.random.default_rng(0).standard_normal((side, side), np.float32)
    on_device = mx.array(a)
    times: list[float] = []
    gflops = 0.0
    while len(times) < _LEAST_TIMES or (gflops < SLOW_GFLOPS and sum(times) < _TIMED_S):
        started = time.perf_counter()
        product = on_device @ on_device
        mx.eval(product)
        times.append(time.perf_counter() - started)
        gflops = 2 * side**3 / min(times) / 1e9
    if not np.allclose(np.array(product), a @ a, rtol=0, atol=_PRODUCT_TOLERANCE):
        raise RuntimeError(f"MLX with {load_tuned_blas() or 'its own BLAS'} multiplies matrices wrongly")
    if gflops < SLOW_GFLOPS:
        log.warning("products run at %.0f GFLOP/s: no tuned BLAS was found (see README)", gflops)
    return gflops
