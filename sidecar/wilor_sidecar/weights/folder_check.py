"""Whether a converted folder is exactly the network that its configuration names. Needs no MLX.

The numbers are looked at when they are read, see `lazy`.
"""

from collections.abc import Mapping
from pathlib import Path

from wilor_sidecar.weights.checks import check_shape
from wilor_sidecar.weights.digest import sha256_of
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.layout import TensorSpec, tensor_specs
from wilor_sidecar.weights.model_config import WEIGHTS_FILE, ModelConfig, read_config
from wilor_sidecar.weights.safetensors_file import code_of, read_shapes


def check_folder(path: Path, *, check_digest: bool) -> ModelConfig:
    """Check a folder's configuration, and the keys, shapes and dtypes of its weights.

    Args:
        path: what `convert` made.
        check_digest: also compare the weights' SHA-256 with the configuration's; some seconds for 2.5 GB.

    Returns:
        The configuration.

    Raises:
        WeightsError: a file is missing, damaged or altered; a key, shape or dtype is not the layout's.
    """
    config = read_config(path)
    file = path / WEIGHTS_FILE
    try:
        _check_header(file, tensor_specs(config.network, config.dtype))
        if check_digest:
            _check_digest(file, config)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    return config


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
    try:
        digest = sha256_of(file)
    except OSError as error:
        raise WeightsError(f"{file.name}: cannot be read ({error.strerror})") from error
    if digest != config.weights_sha256:
        raise WeightsError(f"{file.name}: has SHA-256 {digest}, the configuration says {config.weights_sha256}")
