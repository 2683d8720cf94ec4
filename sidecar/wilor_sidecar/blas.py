"""A fast BLAS for MLX on Linux CPUs, loaded before MLX is.

MLX's Linux wheel brings the reference BLAS, which is some forty times slower than a tuned one. libmlx looks up
`cblas_sgemm` through the dynamic linker, so a tuned library that is already loaded with global symbols takes over.
On a Mac MLX has Accelerate and Metal, and nothing is done.
"""

import ctypes
import logging
import sys
from functools import cache
from pathlib import Path

log = logging.getLogger(__name__)

SLOW_GFLOPS = 20.0
"""The reference BLAS reaches about 4, a tuned one 60 and more."""

# In order of preference. mkl is what the `daemon` extra installs on x86-64; the others come from a distribution.
_WHEEL_LIBRARIES = ("libmkl_rt.so.*",)
# By the names that the dynamic linker knows; ctypes' `find_library` would start ldconfig and a compiler to look.
_SYSTEM_LIBRARIES = ("libopenblas.so.0", "libblis.so.4", "libblis.so.3")


@cache
def load_tuned_blas() -> str:
    """Load the best BLAS there is, once; call it before anything imports `mlx`.

    Returns:
        The library's file name; "" where MLX brings its own (macOS), where none was found, or where MLX was imported
        before us and has already bound the reference BLAS.
    """
    if sys.platform != "linux":
        return ""
    if "mlx.core" in sys.modules:
        log.warning("MLX was imported before a tuned BLAS could be loaded: products run some forty times slower")
        return ""
    for path in _candidates():
        try:
            library = ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
        except OSError:
            continue
        if hasattr(library, "cblas_sgemm"):
            return Path(path).name
    return ""


def _candidates() -> list[str]:
    in_environment = [
        str(path) for pattern in _WHEEL_LIBRARIES for path in sorted((Path(sys.prefix) / "lib").glob(pattern))
    ]
    return [*in_environment, *_SYSTEM_LIBRARIES]
