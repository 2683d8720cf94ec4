"""Read the network's tensors from whatever file somebody has, told from its content, under canonical names.

Knows every format that can be converted, but neither where MANO comes from nor what is written.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wilor_sidecar.weights import wilor_mlx_files
from wilor_sidecar.weights.element_types import Array
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.layout import Sizes, infer_sizes
from wilor_sidecar.weights.model_config import SourceKind
from wilor_sidecar.weights.quantisation import Tensor
from wilor_sidecar.weights.safetensors_file import looks_like_safetensors, read_safetensors
from wilor_sidecar.weights.torch_zip import read_torch_zip

_ZIP_MAGIC = b"PK\x03\x04"
_PICKLE_MAGIC = b"\x80"


@dataclass(frozen=True)
class Source:
    """A source file's content: canonical names and layouts, unchecked dtypes and shapes, extras still in."""

    kind: SourceKind
    sizes: Sizes
    tensors: Mapping[str, Tensor]


def read_source(path: Path, heads: int | None) -> Source:
    """Read a checkpoint of WiLoR's, or a safetensors file with upstream's or wilor-mlx's names.

    Args:
        path: the file.
        heads: attention heads, or None to guess from the width.

    Raises:
        WeightsError: none of these, unsound, or not of a WiLoR network; names the file.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(4)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from error
    if begin == _ZIP_MAGIC:
        return _from_upstream("upstream-checkpoint", read_torch_zip(path), heads, path.name)
    if looks_like_safetensors(path):
        return _from_safetensors(read_safetensors(path), heads, path.name)
    hint = "; PyTorch before 1.6 wrote such files: save it again with a newer one" if begin[:1] == _PICKLE_MAGIC else ""
    raise WeightsError(f"{path.name}: neither a PyTorch checkpoint (zip) nor a safetensors file{hint}")


def _from_safetensors(tensors: dict[str, Array], heads: int | None, file: str) -> Source:
    if not wilor_mlx_files.is_wilor_mlx(tensors):
        return _from_upstream("upstream-safetensors", tensors, heads, file)
    sizes = _sizes(tensors, heads, file)
    kind: SourceKind = "wilor-mlx-int4" if wilor_mlx_files.is_quantised(tensors) else "wilor-mlx-float32"
    try:
        return Source(kind, sizes, wilor_mlx_files.canonical(tensors, sizes.width, sizes.depth))
    except WeightsError as error:
        raise WeightsError(f"{file}: {error}") from error


def _from_upstream(kind: SourceKind, tensors: dict[str, Array], heads: int | None, file: str) -> Source:
    return Source(kind, _sizes(tensors, heads, file), tensors)


def _sizes(tensors: Mapping[str, Array], heads: int | None, file: str) -> Sizes:
    try:
        return infer_sizes({name: array.shape for name, array in tensors.items()}, heads)
    except WeightsError as error:
        raise WeightsError(f"{file}: {error}") from error
