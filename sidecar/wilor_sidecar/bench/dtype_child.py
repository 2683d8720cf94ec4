"""The child of `dtypes`: load one folder in a fresh process, and measure what that takes."""

import time
from pathlib import Path

import msgspec
import numpy as np

from wilor_sidecar.bench.hand_crops import hand_crops
from wilor_sidecar.isolation import answer
from wilor_sidecar.mlx_settings import settle_mlx
from wilor_sidecar.process_memory import peak_bytes
from wilor_sidecar.weights.errors import WeightsError

_BATCH = 8


class DtypeRequest(msgspec.Struct, frozen=True):
    """What to measure.

    Attributes:
        folder: a converted model.
        crops: how many, a multiple of 8.
        runs: times of each batch size.
        vertices: where (crops, 778, 3) float32, m, are to be saved.
    """

    folder: str
    crops: int
    runs: int
    vertices: str


class DtypeFigures(msgspec.Struct, frozen=True):
    """What was measured.

    Attributes:
        load_s: from the file to weights in memory; the file was in the page cache.
        held_bytes: by MLX, once it is loaded.
        peak_bytes: the most that MLX held until then.
        process_bytes: the most that the process had resident until then: with Python, MLX and the BLAS.
        batch_1_ms, batch_8_ms: medians.
    """

    load_s: float
    held_bytes: int
    peak_bytes: int
    process_bytes: int
    batch_1_ms: float
    batch_8_ms: float


def _measure(request: DtypeRequest) -> DtypeFigures:
    settle_mlx()
    from wilor_sidecar.bench.network import time_network  # noqa: PLC0415 - imports MLX, after it was settled
    from wilor_sidecar.mlx import mx  # noqa: PLC0415
    from wilor_sidecar.model import load_model  # noqa: PLC0415

    _fill_page_cache(Path(request.folder))
    started = time.perf_counter()
    model = load_model(request.folder)
    load_s = time.perf_counter() - started
    peak = mx.get_peak_memory()
    mx.clear_cache()
    held, process = mx.get_active_memory(), peak_bytes()
    pixels = hand_crops(request.crops)
    batches = [pixels[i : i + _BATCH] for i in range(0, request.crops, _BATCH)]
    np.save(request.vertices, np.concatenate([model(batch)["pred_vertices"] for batch in batches]))
    one, eight = time_network(model, request.runs, (1, _BATCH))
    return DtypeFigures(load_s, held, peak, process, one.median_ms, eight.median_ms)


def _fill_page_cache(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb") as file:
            while file.read(1 << 24):
                pass


if __name__ == "__main__":
    answer(DtypeRequest, _measure, WeightsError, RuntimeError)
