"""The machine: Python, memory, and MLX with its device and BLAS, tried in a process that may die of it."""

import platform
import shutil
import sys
from collections.abc import Iterator

import psutil

from wilor_sidecar.blas import SLOW_GFLOPS
from wilor_sidecar.doctor.findings import Finding, ok, problem, warning
from wilor_sidecar.doctor.mlx_child import MlxFigures, MlxRequest
from wilor_sidecar.installation import install_command
from wilor_sidecar.isolation import Child, IsolatedError, Limits

_WALL_S = 300
_LITTLE_BYTES = 2 << 30


def check_machine() -> Iterator[Finding]:
    """Python, memory, MLX."""
    yield ok("python", f"{platform.python_version()} on {platform.system()} {platform.release()} {platform.machine()}")
    yield _memory()
    try:
        figures = Child("wilor_sidecar.doctor.mlx_child", Limits(wall_s=_WALL_S)).ask(MlxRequest(), MlxFigures)
    except IsolatedError as error:
        yield problem("mlx", f"cannot be used: {error}", install_command())
        return
    yield _device(figures)
    yield _blas(figures)


def _memory() -> Finding:
    memory = psutil.virtual_memory()
    text = f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB are available"
    if memory.available < _LITTLE_BYTES:
        mend = "close other programs; of WiLoR's own weights `wilor-sidecar setup --dtype int8` takes least, 0.9 GB"
        return warning("memory", text, mend)
    return ok("memory", text)


def _device(figures: MlxFigures) -> Finding:
    text = f"{figures.version} computes on {figures.device}"
    if sys.platform == "darwin" and figures.device != "gpu":
        python = "an arm64 Python" if platform.machine() != "arm64" else "macOS 14 or later"
        return problem("mlx", f"{text}: a Mac's GPU is not used", f"install with {python}")
    return ok("mlx", text)


def _blas(figures: MlxFigures) -> Finding:
    text = f"{figures.blas or 'its own'}; float32 products at {figures.gflops:.0f} GFLOP/s"
    if figures.gflops < SLOW_GFLOPS:
        return warning("blas", f"{text}: slow", _install_blas())
    return ok("blas", text)


def _install_blas() -> str:
    if platform.machine() == "x86_64":  # the package brings MKL along
        return install_command()
    if shutil.which("apt-get"):
        return "sudo apt-get install libopenblas0-pthread"
    return "install OpenBLAS with this system's package manager"
