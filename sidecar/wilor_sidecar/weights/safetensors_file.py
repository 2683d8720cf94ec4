"""Read and write safetensors files a tensor at a time, so that a 2.5 GB file never stands in memory twice.

The safetensors library decides what a well-formed file is: it refuses the overlaps and holes that MLX's reader accepts.
Its own numpy functions copy everything at once, know no bfloat16 and scramble arrays that are not in C order, so the
tensors are mapped and streamed here. Knows nothing of what the tensors mean.
"""

import hashlib
import json
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from safetensors import SafetensorError, safe_open

from wilor_sidecar.weights import element_types as kinds
from wilor_sidecar.weights.element_types import Array, widen
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.layout import Shape, TensorSpec

MAX_HEADER_BYTES = 100_000_000
"""The format's own limit."""

_LENGTH = struct.Struct("<Q")
_READABLE = {
    "F64": kinds.FLOAT64,
    "F32": kinds.FLOAT32,
    "F16": kinds.FLOAT16,
    "BF16": kinds.BFLOAT16,
    "I64": kinds.INT64,
    "I32": kinds.INT32,
    "I16": kinds.INT16,
    "I8": kinds.INT8,
    "U8": kinds.UINT8,
    "U32": kinds.UINT32,
    "BOOL": kinds.BOOL,
}
_CODES = {"float32": "F32", "float16": "F16", "int32": "I32", "uint32": "U32"}


def looks_like_safetensors(path: Path) -> bool:
    """Whether a file begins as safetensors files do: a plausible length, then a JSON object."""
    with path.open("rb") as file:
        begin = file.read(_LENGTH.size + 1)
    return len(begin) == 9 and _LENGTH.unpack_from(begin)[0] <= MAX_HEADER_BYTES and begin[8:] == b"{"


def read_shapes(path: Path) -> dict[str, tuple[Shape, str]]:
    """Check a file's header and return each tensor's shape and the format's code of its dtype, such as F32.

    Raises:
        WeightsError: the file is missing, truncated, or its header is not strictly well-formed.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            shapes = {name: (tuple(part.get_shape()), str(part.get_dtype())) for name, part in slices.items()}
        _read_header(path)
    except (SafetensorError, ValueError, OSError) as error:
        raise WeightsError(f"{path.name}: not a sound safetensors file ({error})") from error
    return shapes


def read_safetensors(path: Path) -> dict[str, Array]:
    """Map a file's tensors.

    Returns:
        Read-only arrays by name: views into the file; bfloat16 comes as float32.

    Raises:
        WeightsError: not a sound file, or a dtype that is not supported.
    """
    shapes = read_shapes(path)
    header, data_begin = _read_header(path)
    data = np.memmap(path, np.uint8, mode="r").view(np.ndarray)[data_begin:]
    tensors: dict[str, Array] = {}
    for name, (shape, code) in shapes.items():
        if code not in _READABLE:
            raise WeightsError(f"{path.name}: {name} has dtype {code}, which is not supported")
        begin, end = header[name]["data_offsets"]
        tensors[name] = widen(data[begin:end].view(_READABLE[code].stored).reshape(shape), _READABLE[code])
    return tensors


def write_safetensors(file: BinaryIO, specs: Mapping[str, TensorSpec], tensors: Iterable[tuple[str, Array]]) -> str:
    """Write a file from tensors that may be made one by one.

    Args:
        file: where to; written front to back.
        specs: what will come; in this order.
        tensors: exactly those, in the same order, with those shapes and dtypes.

    Returns:
        The SHA-256 of what was written, in hex.
    """
    running = hashlib.sha256()
    header = _header(specs)
    for part in (_LENGTH.pack(len(header)), header):
        file.write(part)
        running.update(part)
    for (name, tensor), (expected_name, spec) in zip(tensors, specs.items(), strict=True):
        if (name, tensor.shape, tensor.dtype) != (expected_name, spec.shape, np.dtype(spec.dtype)):
            raise ValueError(f"{name} {tensor.shape} {tensor.dtype} came where {expected_name} {spec} was announced")
        data = np.ascontiguousarray(tensor).data
        file.write(data)
        running.update(data)
    return running.hexdigest()


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    """A header, and where the data begin. Repeated names, which the library lets pass, are a ValueError."""
    with path.open("rb") as file:
        length = _LENGTH.unpack(file.read(_LENGTH.size))[0]
        return json.loads(file.read(length), object_pairs_hook=_without_repeats), _LENGTH.size + length


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in the header")
    return found


def _header(specs: Mapping[str, TensorSpec]) -> bytes:
    entries: dict[str, object] = {}
    offset = 0
    for name, spec in specs.items():
        size = int(np.prod(spec.shape, dtype=np.int64)) * np.dtype(spec.dtype).itemsize
        entries[name] = {
            "dtype": _CODES[spec.dtype],
            "shape": list(spec.shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    text = json.dumps(entries, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8)  # so that the data are aligned


def code_of(spec: TensorSpec) -> str:
    """The format's name of a spec's dtype, as `read_shapes` returns it."""
    return _CODES[spec.dtype]
