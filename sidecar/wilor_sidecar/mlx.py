"""MLX, with the best BLAS there is under it. Everything of ours that uses MLX imports it from here.

Import this only on a thread that owns a network, or in a program of one thread: see `engine`.
"""

from wilor_sidecar.blas import load_tuned_blas

load_tuned_blas()  # before the import below: libmlx binds its BLAS when it is loaded

import mlx.core as mx  # noqa: E402

__all__ = ["mx"]
