"""What MLX computes on. Importing this imports MLX."""

from typing import Literal

from wilor_sidecar.mlx import mx


def on_gpu() -> bool:
    """Whether the default device is a GPU."""
    return mx.default_device().type == mx.DeviceType.gpu


def device_name() -> Literal["cpu", "gpu"]:
    """The default device, as people call it."""
    return "gpu" if on_gpu() else "cpu"
