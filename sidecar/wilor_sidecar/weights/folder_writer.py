"""Write a converted folder to disk. Knows files and folders, not what the weights mean."""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType

from wilor_sidecar.weights.durable_files import sync_file, sync_folder, write_synced
from wilor_sidecar.weights.element_types import Array
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.layout import TensorSpec
from wilor_sidecar.weights.model_config import CONFIG_FILE, WEIGHTS_FILE, ModelConfig, encode_config
from wilor_sidecar.weights.placing import clear_abandoned, partial_of, put_in_place, refuse_occupied
from wilor_sidecar.weights.safetensors_file import write_safetensors


class FolderWriter:
    """Writes into a hidden sibling of `out`, and renames it when all is on disk.

    Use as a context manager around the writing; leaving it without `finish` removes what was written.

    Raises:
        WeightsError: on making it, when `out` may not be (re)placed: long before gigabytes are read.
    """

    def __init__(self, out: Path, *, overwrite: bool) -> None:
        refuse_occupied(out, overwrite=overwrite)
        self._out = out
        self._overwrite = overwrite
        self._partial = partial_of(out, os.getpid())

    def __enter__(self) -> "FolderWriter":
        try:
            clear_abandoned(self._out)
            self._partial.mkdir()
        except OSError as error:
            raise WeightsError(f"{self._out}: cannot be made ({error.strerror})") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        shutil.rmtree(self._partial, ignore_errors=True)  # once finished it has another name
        if isinstance(error, OSError):
            raise WeightsError(f"{self._out}: cannot be written ({error.strerror})") from error

    def write_weights(self, specs: Mapping[str, TensorSpec], tensors: Iterable[tuple[str, Array]]) -> str:
        """Write the weights to disk, one tensor at a time; returns their SHA-256 in hex."""
        with (self._partial / WEIGHTS_FILE).open("wb") as file:
            digest = write_safetensors(file, specs, tensors)
            sync_file(file)
        return digest

    def finish(self, config: ModelConfig) -> None:
        """Write the configuration, then put the folder in its place."""
        write_synced(self._partial / CONFIG_FILE, encode_config(config))
        sync_folder(self._partial)
        put_in_place(self._partial, self._out, overwrite=self._overwrite)
