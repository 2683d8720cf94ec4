"""Put a converted folder in its place whole or not at all. Knows files and folders, not what the weights mean."""

import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType

from wilor_sidecar.weights.durable_files import sync_folder, write_synced
from wilor_sidecar.weights.element_types import Array
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.layout import TensorSpec
from wilor_sidecar.weights.model_config import CONFIG_FILE, WEIGHTS_FILE, ModelConfig, encode_config, read_config
from wilor_sidecar.weights.provenance import PROBE_FILE, PROVENANCE_FILE
from wilor_sidecar.weights.safetensors_file import write_safetensors

_OURS = frozenset({CONFIG_FILE, WEIGHTS_FILE, PROVENANCE_FILE, PROBE_FILE})
_FINDERS = frozenset({".DS_Store"})


class FolderWriter:
    """Writes into a hidden sibling of `out`, and renames it when all is on disk.

    Use as a context manager around the writing; leaving it without `finish` removes what was written.

    Raises:
        WeightsError: on making it, when `out` may not be (re)placed: long before gigabytes are read.
    """

    def __init__(self, out: Path, *, overwrite: bool) -> None:
        _refuse_occupied(out, overwrite=overwrite)
        self._out = out
        self._overwrite = overwrite
        self._partial = partial_of(out, os.getpid())

    def __enter__(self) -> "FolderWriter":
        try:
            shutil.rmtree(self._partial, ignore_errors=True)  # of an earlier process with our number
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
            file.flush()
            os.fsync(file.fileno())
        return digest

    def finish(self, config: ModelConfig) -> None:
        """Write the configuration, then put the folder in its place."""
        write_synced(self._partial / CONFIG_FILE, encode_config(config))
        sync_folder(self._partial)
        _refuse_occupied(self._out, overwrite=self._overwrite)  # minutes may have passed
        self._put_in_place()
        sync_folder(self._out.parent)

    def _put_in_place(self) -> None:
        if not self._out.exists():
            self._partial.rename(self._out)
            return
        # A folder cannot be renamed onto one that is not empty, so the old one steps aside and back if need be.
        old = self._out.with_name(f".{self._out.name}.old-{secrets.token_hex(4)}")
        self._out.rename(old)
        try:
            self._partial.rename(self._out)
        except OSError:
            old.rename(self._out)
            raise
        shutil.rmtree(old)


def partial_of(out: Path, pid: int) -> Path:
    """Where a process writes before `out` is whole."""
    return out.with_name(f".{out.name}.partial-{pid}")


def _refuse_occupied(out: Path, *, overwrite: bool) -> None:
    if not out.parent.is_dir():
        raise WeightsError(f"{out}: its parent is not a folder")
    if not os.path.lexists(out):
        return
    if out.is_symlink() or not _is_converted_folder(out):
        raise WeightsError(f"{out}: exists and is not a converted folder; it is left alone")
    if not overwrite:
        raise WeightsError(f"{out}: exists already; --overwrite replaces it")


def _is_converted_folder(path: Path) -> bool:
    """Whether replacing it loses nothing but a conversion: our two files, or what is left of them, and nothing else."""
    if not path.is_dir() or {entry.name for entry in path.iterdir()} - _FINDERS - _OURS:
        return False
    try:
        read_config(path)
    except WeightsError:
        return False
    return True
