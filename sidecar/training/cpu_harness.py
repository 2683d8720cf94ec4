"""Runs `render.cu` as plain C++ on the CPU: to look at pictures and to test the kernel where there is no GPU."""

import ctypes
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.render_layout import CHANNELS, source

Floats = NDArray[np.float32]


def compiler() -> str | None:
    """The path of a C++ compiler; None where there is none."""
    return shutil.which("g++") or shutil.which("clang++")


@functools.cache
def library() -> ctypes.CDLL:
    """The kernel, compiled."""
    program = compiler()
    if program is None:
        raise RuntimeError("the renderer needs a GPU or a C++ compiler")
    folder = Path(tempfile.mkdtemp(prefix="render-"))
    (folder / "render.cpp").write_text(source())
    flags = ["-O3", "-ffast-math", "-march=native", "-std=c++17", "-shared", "-fPIC"]
    command = [program, *flags, str(folder / "render.cpp"), "-o", str(folder / "render.so")]
    # OpenMP is there with g++ only.
    threaded = subprocess.run([*command, "-fopenmp"], check=False, capture_output=True)  # noqa: S603 - our own source
    if threaded.returncode != 0:
        subprocess.run(command, check=True)  # noqa: S603
    loaded = ctypes.CDLL(str(folder / "render.so"))
    shutil.rmtree(folder)
    return loaded


def render(  # noqa: PLR0917 - the kernel's own order
    capsules: Floats,
    groups: NDArray[np.int32],
    other: Floats,
    looks: Floats,
    window: Floats,
    props: Floats,
    height: int,
    width: int,
) -> Floats:
    """(B, CHANNELS, H, W): as the kernel writes it; see renderer.py."""
    count, capsule_count = capsules.shape[:2]
    out = np.zeros((count, CHANNELS, height, width), np.float32)
    floats = [np.ascontiguousarray(array, np.float32) for array in (capsules, other, looks, window, props)]
    ids = np.ascontiguousarray(groups, np.int32)
    arrays = [floats[0], ids, *floats[1:], out]
    sizes = [ctypes.c_int(size) for size in (count, capsule_count, height, width)]
    library().render(*(ctypes.c_void_p(array.ctypes.data) for array in arrays), *sizes)
    return out
