"""Load a converted folder into MLX, trusting nothing: what passes here is exactly the network the configuration names.

This and `lazy` are what imports MLX here; call them on the thread that owns the model. Knows no other file format.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from wilor_sidecar.mlx import mx
from wilor_sidecar.weights.checks import check_shape
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.layout import TensorSpec, tensor_specs
from wilor_sidecar.weights.lazy import Weights
from wilor_sidecar.weights.model_config import WEIGHTS_FILE, ModelConfig, read_config
from wilor_sidecar.weights.safetensors_file import code_of, read_shapes

__all__ = ["ModelConfig", "load_folder"]


def load_folder(path: Path, *, check_digest: bool = False) -> tuple[ModelConfig, Weights]:
    """Check a folder, and open its weights.

    Args:
        path: what `convert` made.
        check_digest: also compare the weights' SHA-256 with the configuration's; some seconds for 2.5 GB.

    Returns:
        The configuration, and every tensor of the layout in its dtype. The numbers are read, and checked, when the
        tensors are taken.

    Raises:
        WeightsError: a file is missing, damaged or altered; a key, shape or dtype is not the layout's.
    """
    config = read_config(path)
    file = path / WEIGHTS_FILE
    try:
        _check_header(file, tensor_specs(config.network, config.dtype))
        if check_digest:
            _check_digest(file, config)
        tensors = _load(file)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    return config, Weights(tensors, origin=f"{path}: {file.name}: ")


def _check_header(file: Path, specs: Mapping[str, TensorSpec]) -> None:
    """Keys, shapes and dtypes, before a byte of data is read."""
    found = read_shapes(file)
    if missing := sorted(specs.keys() - found.keys()):
        raise WeightsError(f"{file.name}: {missing[0]} is missing ({len(missing)} in all)")
    if unexpected := sorted(found.keys() - specs.keys()):
        raise WeightsError(f"{file.name}: {unexpected[0]} is unexpected ({len(unexpected)} in all)")
    for name, spec in specs.items():
        shape, code = found[name]
        check_shape(f"{file.name}: {name}", shape, spec.shape)
        if code != code_of(spec):
            raise WeightsError(f"{file.name}: {name} has dtype {code}, expected {code_of(spec)}")


def _check_digest(file: Path, config: ModelConfig) -> None:
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    if digest != config.weights_sha256:
        raise WeightsError(f"{file.name}: has SHA-256 {digest}, the configuration says {config.weights_sha256}")


def _load(file: Path) -> dict[str, mx.array]:
    try:
        loaded = mx.load(str(file), format="safetensors")
    except RuntimeError as error:
        raise WeightsError(f"{file.name}: MLX cannot read it ({error})") from error
    if not isinstance(loaded, dict):
        raise WeightsError(f"{file.name}: MLX read something else than named tensors")
    return loaded
