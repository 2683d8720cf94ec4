"""The command that makes a damaged model again, from what is written down of how it was made."""

import shlex
from pathlib import Path

from wilor_sidecar.installation import install_command
from wilor_sidecar.setup.model_names import MADE_BY_SETUP
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.model_config import FileEntry, ModelConfig, read_config
from wilor_sidecar.weights.placing import is_ours
from wilor_sidecar.weights.provenance import Provenance, read_provenance
from wilor_sidecar.weights.store import EMBEDDED_FOLDER, default_models_directory

_SOMEWHERE = "path/to/"
"""Only names are written down of files that the user brought."""


def command_to_make_again(folder: Path, models_dir: Path) -> str:
    """What to run, or in words what to do.

    Args:
        folder: of the model, which may lack any of its files.
        models_dir: where models are kept.
    """
    if folder == EMBEDDED_FOLDER:
        return install_command()
    if folder.parent == models_dir and folder.name in MADE_BY_SETUP:
        again = _setup(folder)
    elif config := _config(folder):
        again = _convert(folder, config)
    else:
        again = "convert it again"
    return again if is_ours(folder) else f"move {shlex.quote(str(folder))} elsewhere, then: {again}"


def _setup(folder: Path) -> str:
    origin, dtype = MADE_BY_SETUP[folder.name]
    config, provenance = _config(folder), _provenance(folder)
    words = ["wilor-sidecar", "setup", "--from", origin, "--dtype", dtype]
    words += _brought("--mano", config.mano if config else provenance.mano if provenance else None)
    if folder.parent != default_models_directory():
        words += ["--models-dir", str(folder.parent)]
    return shlex.join(words)


def _convert(folder: Path, config: ModelConfig) -> str:
    words = ["wilor-sidecar", "convert", _SOMEWHERE + config.source.name, "--out", str(folder), "--overwrite"]
    words += ["--dtype", config.dtype, "--heads", str(config.sizes.heads)]
    return shlex.join(words + _brought("--mano", config.mano) + _brought("--mean-params", config.mean_params))


def _brought(flag: str, file: FileEntry | None) -> list[str]:
    return [flag, _SOMEWHERE + file.name] if file else []


def _provenance(folder: Path) -> Provenance | None:
    try:
        return read_provenance(folder)
    except WeightsError:
        return None


def _config(folder: Path) -> ModelConfig | None:
    try:
        return read_config(folder)
    except WeightsError:
        return None
