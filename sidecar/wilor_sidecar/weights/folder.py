"""Load a converted folder into MLX, trusting nothing: what passes here is exactly the network the configuration names.

This and `lazy` are what imports MLX here; call them on the thread that owns the model. Knows no other file format.
"""

from pathlib import Path

from wilor_sidecar.mlx import mx
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.folder_check import check_folder
from wilor_sidecar.weights.lazy import Weights
from wilor_sidecar.weights.model_config import WEIGHTS_FILE, ModelConfig

__all__ = ["ModelConfig", "load_folder"]


def load_folder(path: Path, *, check_digest: bool = False) -> tuple[ModelConfig, Weights]:
    """Check a folder, and open its weights.

    Args:
        path: what `convert` made.
        check_digest: see `check_folder`.

    Returns:
        The configuration, and every tensor of the layout in its dtype. The numbers are read, and checked, when the
        tensors are taken.

    Raises:
        WeightsError: a file is missing, damaged or altered; a key, shape or dtype is not the layout's.
    """
    config = check_folder(path, check_digest=check_digest)
    file = path / WEIGHTS_FILE
    try:
        tensors = _load(file)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    return config, Weights(tensors, origin=f"{path}: {file.name}: ")


def _load(file: Path) -> dict[str, mx.array]:
    try:
        loaded = mx.load(str(file), format="safetensors")
    except RuntimeError as error:
        raise WeightsError(f"{file.name}: MLX cannot read it ({error})") from error
    if not isinstance(loaded, dict):
        raise WeightsError(f"{file.name}: MLX read something else than named tensors")
    return loaded
