"""The child that tries MLX: a wheel for another machine, or a broken driver, ends the process that imports it."""

from importlib.metadata import version

import msgspec

from wilor_sidecar.isolation import answer
from wilor_sidecar.mlx_settings import settle_mlx


class MlxRequest(msgspec.Struct, frozen=True):
    """Try it."""


class MlxFigures(msgspec.Struct, frozen=True):
    """What MLX is here.

    Attributes:
        device: "cpu" or "gpu".
        blas: the library behind products on a CPU; "" where MLX brings its own.
        gflops: of a float32 product.
    """

    version: str
    device: str
    blas: str
    gflops: float


def _try(_: MlxRequest) -> MlxFigures:
    settle_mlx()
    from wilor_sidecar.blas import load_tuned_blas  # noqa: PLC0415 - these load MLX, after it was settled
    from wilor_sidecar.device import device_name  # noqa: PLC0415
    from wilor_sidecar.serving import checked_gflops  # noqa: PLC0415

    return MlxFigures(version("mlx"), device_name(), load_tuned_blas(), checked_gflops())


if __name__ == "__main__":
    answer(MlxRequest, _try, RuntimeError)
