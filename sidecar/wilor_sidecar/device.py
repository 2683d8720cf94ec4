"""What the device is called that MLX computes on. Importing this imports MLX."""

from typing import Literal

from wilor_sidecar.model.activations import on_gpu


def device_name() -> Literal["cpu", "gpu"]:
    """The default device."""
    return "gpu" if on_gpu() else "cpu"
