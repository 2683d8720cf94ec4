"""What each way of holding the blocks costs: disk, memory, time and exactness, each in a fresh process.

The exact answer is the float32 network's; the errors of float16, int8 and int4 are distances from it.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wilor_sidecar.bench.dtype_child import DtypeFigures, DtypeRequest
from wilor_sidecar.bench.full_size import full_size_folder
from wilor_sidecar.daemon_process import DaemonDiedError, DaemonProcess
from wilor_sidecar.isolation import Child, IsolatedError, Limits
from wilor_sidecar.mlx_settings import cache_directory
from wilor_sidecar.weights.convert_isolated import ConversionRequest, convert_isolated
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.layout import DTYPES, BlocksDtype
from wilor_sidecar.weights.model_config import WEIGHTS_FILE, read_config

CROPS = 32

_EXACT: BlocksDtype = "float32"
_STARTED: BlocksDtype = "float16"
"""Which dtype a daemon is started with: the one that is usual on a GPU."""
_READY_S = 600

HEADER = (
    "| network | dtype | file MB | held MB | peak MB | process MB | load s | ms, batch 1 | ms, batch 8 | "
    "worst vertex mm: mean, max |\n|---|---|---|---|---|---|---|---|---|---|"
)
"""held: what MLX keeps once the model is loaded; peak: the most it held until then; process: the process's own peak."""


@dataclass(frozen=True)
class StartUp:
    """A daemon's start, the files in the page cache.

    Attributes:
        loaded_s: from the process's start to weights in memory.
        ready_s: until every batch size has run.
        weights_bytes: what MLX holds of a loaded network.
        peak_bytes: the most that MLX held until the daemon was ready.
        process_bytes: the most that the process had resident until then: with Python, the BLAS and what MLX keeps for
            reuse.
    """

    loaded_s: float
    ready_s: float
    weights_bytes: int
    peak_bytes: int
    process_bytes: int

    def line(self) -> str:
        """For people."""
        share, process_mb = self.peak_bytes / self.weights_bytes, self.process_bytes / 1e6
        return (
            f"weights in memory after {self.loaded_s:.1f} s, ready after {self.ready_s:.1f} s; MLX held at most "
            f"{self.peak_bytes / 1e6:.0f} MB, {share:.2f} times the weights; the process {process_mb:.0f} MB"
        )


@dataclass(frozen=True)
class Row:
    """One network in one dtype.

    Attributes:
        file_bytes: of the weights; None: there are none.
        figures: what the child measured, or why it could not.
        worst_mm: (32,) the worst vertex of each crop; None for the exact network itself, and without it.
        start_up: of a daemon that serves it, or why it did not start; None where nobody asked.
    """

    network: str
    dtype: BlocksDtype
    file_bytes: int | None
    figures: DtypeFigures | str
    worst_mm: NDArray[np.floating] | None = None
    start_up: StartUp | str | None = None

    def line(self) -> str:
        """As a row of a Markdown table."""
        size = "none" if self.file_bytes is None else f"{self.file_bytes / 1e6:.1f}"
        begin = f"| {self.network} | {self.dtype} | {size} |"
        if isinstance(self.figures, str):
            return f"{begin} not possible here: {self.figures} |"
        f = self.figures
        memory = f"{f.held_bytes / 1e6:.0f} | {f.peak_bytes / 1e6:.0f} | {f.process_bytes / 1e6:.0f}"
        return f"{begin} {memory} | {f.load_s:.2f} | {f.batch_1_ms:.1f} | {f.batch_8_ms:.1f} | {self._error()} |"

    def _error(self) -> str:
        if self.worst_mm is not None:
            return f"{self.worst_mm.mean():.3f}, {self.worst_mm.max():.3f}"
        return "exact" if self.dtype == _EXACT else f"no {_EXACT} to compare with"


def measure_dtypes(models: dict[str, Path], runs: int, say: Callable[[str], None]) -> Iterator[Row]:
    """Convert each model to each dtype, and measure it.

    Args:
        models: converted folders by the name to show; float32 or float16, whose weights are then taken for exact.
        runs: times of each batch size.
        say: shows what is going on, for people who wait.
    """
    for network, folder in models.items():
        with tempfile.TemporaryDirectory(prefix="bench-dtypes-", dir=_cache()) as temporary:
            yield from _measure_network(network, folder, Path(temporary), runs, say)


def full_size() -> tuple[str, Path]:
    """WiLoR's size with random weights, for `measure_dtypes`.

    Raises:
        WeightsError: it cannot be written.
    """
    return "full size, random weights", full_size_folder()


def _measure_network(
    network: str, model: Path, temporary: Path, runs: int, say: Callable[[str], None]
) -> Iterator[Row]:
    exact: NDArray[np.floating] | None = None
    for dtype in DTYPES:  # the exact one is the first
        say(f"{network}: {dtype}")
        try:
            folder = _converted(model, dtype, temporary / dtype)
        except WeightsError as error:
            yield Row(network, dtype, None, str(error))
            continue
        size = (folder / WEIGHTS_FILE).stat().st_size
        vertices = temporary / f"{dtype}.npy"
        request = DtypeRequest(str(folder), CROPS, runs, str(vertices))
        try:
            figures = Child("wilor_sidecar.bench.dtype_child", Limits()).ask(request, DtypeFigures)
        except IsolatedError as error:
            yield Row(network, dtype, size, str(error))
        else:
            answered = np.load(vertices)
            apart_mm = None if exact is None else np.linalg.norm(answered - exact, axis=-1).max(axis=-1) * 1e3
            exact = answered if dtype == _EXACT else exact
            start_up = _start_up_or_why_not(folder) if dtype == _STARTED else None
            yield Row(network, dtype, size, figures, apart_mm, start_up)
        if folder != model:
            shutil.rmtree(folder)


def _start_up_or_why_not(folder: Path) -> StartUp | str:
    try:
        return time_start_up(folder)
    except DaemonDiedError as error:
        return str(error)


def time_start_up(folder: Path) -> StartUp:
    """Start a daemon, wait until it is ready, and stop it.

    Raises:
        DaemonDiedError: it ended, or did not become ready.
    """
    started = time.perf_counter()
    with DaemonProcess(str(folder)) as daemon:
        daemon.wait_until("warming", "ready", "degraded", timeout_s=_READY_S)
        loaded_s = time.perf_counter() - started
        status = daemon.wait_until("ready", "degraded", timeout_s=_READY_S)
        ready_s = time.perf_counter() - started
        daemon.stop()
    if not status.ready or status.memory is None:
        raise DaemonDiedError(f"{folder}: the daemon is {status.state}: {status.reason}")
    memory = status.memory
    return StartUp(loaded_s, ready_s, memory.active, memory.peak, memory.process_peak)


def _converted(model: Path, dtype: BlocksDtype, out: Path) -> Path:
    config = read_config(model)
    if config.dtype == dtype:
        return model
    source = str(model / WEIGHTS_FILE)
    return convert_isolated(ConversionRequest(source, str(out), heads=config.sizes.heads, dtype=dtype))


def _cache() -> Path:
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    return cache
