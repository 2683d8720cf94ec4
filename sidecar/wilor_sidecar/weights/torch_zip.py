"""Read the tensors of a PyTorch checkpoint (the zip that torch.save writes) without PyTorch and without running it.

The file is memory-mapped and each tensor is a view into it, so 2.5 GB cost no memory until somebody copies them.
Only `state_dict`, or a plain dict of tensors, is read; what a training framework put beside it stays inert. Knows
nothing of WiLoR.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from wilor_sidecar.weights import element_types as kinds
from wilor_sidecar.weights.element_types import Array, ElementType, widen
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.restricted_pickle import MAX_PICKLE_BYTES, Call, InertDict, Sealed, describe, load
from wilor_sidecar.weights.stored_zip import StoredZip

MAX_DIMENSIONS = 16
MAX_EXPANDED = 1 << 24
"""How many elements a view may have although its storage has fewer: stride 0 is legal, but must not make terabytes."""


class StorageType(Sealed):
    """Stand-in of torch.FloatStorage and its kin: names an element type."""

    __slots__ = ("element",)

    def __init__(self, element: ElementType) -> None:
        self.element = element


class Storage(Sealed):
    """A persistent id, unchecked: a pickle may mention storages that nothing reads."""

    __slots__ = ("identity",)

    def __init__(self, identity: object) -> None:
        self.identity = identity


class TensorCall(Sealed):
    """The arguments of a call that rebuilds a tensor, unchecked for the same reason."""

    __slots__ = ("arguments",)

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments


def _parameter(tensor: object = None, *_: object) -> object:
    """A parameter is its tensor; whether it wants gradients is of no interest."""
    return tensor


_STORAGES = {
    "DoubleStorage": kinds.FLOAT64,
    "FloatStorage": kinds.FLOAT32,
    "HalfStorage": kinds.FLOAT16,
    "BFloat16Storage": kinds.BFLOAT16,
    "LongStorage": kinds.INT64,
    "IntStorage": kinds.INT32,
    "ShortStorage": kinds.INT16,
    "CharStorage": kinds.INT8,
    "ByteStorage": kinds.UINT8,
    "BoolStorage": kinds.BOOL,
}

_KNOWN: dict[tuple[str, str], object] = {
    ("collections", "OrderedDict"): InertDict,
    ("torch._utils", "_rebuild_tensor_v2"): Call(TensorCall),
    ("torch._utils", "_rebuild_parameter"): Call(_parameter),
} | {("torch", name): StorageType(element) for name, element in _STORAGES.items()}


def read_torch_zip(path: Path) -> dict[str, Array]:
    """Read a checkpoint's tensors.

    Args:
        path: what torch.save wrote, since PyTorch 1.6.

    Returns:
        Read-only arrays by name: views into the mapped file, not all contiguous; bfloat16 comes as float32.

    Raises:
        WeightsError: not such a file, damaged, hostile, or `state_dict` holds something that is no tensor.
    """
    archive = StoredZip(path)
    prefix = _prefix(archive, path.name)
    order = archive.read(f"{prefix}byteorder", limit=16) if f"{prefix}byteorder" in archive.names else b"little"
    if order != b"little":
        raise WeightsError(f"{path.name}: byteorder is {order!r}, expected b'little'")
    pickled = archive.read(f"{prefix}data.pkl", limit=MAX_PICKLE_BYTES)
    root = load(pickled, _KNOWN, file=path.name, persistent=Storage)
    try:
        storages = _Storages(archive, f"{prefix}data/")
        return {name: _tensor(name, value, storages) for name, value in _named_values(root)}
    except _EntryError as error:
        raise WeightsError(f"{path.name}: {error}") from error


class _EntryError(Exception):
    """An entry cannot be read as a tensor; the message names the entry, the caller adds the file."""


class _Storages:
    """The `data/N` members: element types and sizes are checked against what the pickle says of them."""

    def __init__(self, archive: StoredZip, prefix: str) -> None:
        self._archive = archive
        self._prefix = prefix

    def elements(self, name: str, identity: object) -> tuple[Array, ElementType]:
        """All elements of a storage, (numel,), a view into the file."""
        match identity:
            case ("storage", StorageType(element=kind), str(key), str(), int(numel)):
                member = self._archive.view(f"{self._prefix}{key}")
            case ("storage", unknown, *_) if not isinstance(unknown, StorageType):
                raise _EntryError(f"{name} has elements of {describe(unknown)}, which is not supported")
            case _:
                raise _EntryError(f"{name} refers to its storage in an unknown way")
        if member.size != numel * kind.stored.itemsize:
            raise _EntryError(f"{name}: storage {key} has {member.size} bytes, expected {numel} x {kind.stored}")
        return member.view(kind.stored), kind


def _prefix(archive: StoredZip, file: str) -> str:
    """The folder inside the zip that everything lies in; torch.save names it after the file it wrote."""
    found = [name.removesuffix("data.pkl") for name in archive.names if name.endswith("/data.pkl")]
    if len(found) != 1:
        raise WeightsError(f"{file}: {len(found)} members named */data.pkl, expected one: not a PyTorch checkpoint")
    return found[0]


def _named_values(root: object) -> Iterator[tuple[str, object]]:
    """The entries of `state_dict`, or of the whole checkpoint where it has none."""
    if not isinstance(root, dict):
        raise _EntryError(f"the checkpoint is a {describe(root)}, expected a dict")
    state = root.get("state_dict", root)
    if not isinstance(state, dict):
        raise _EntryError(f"state_dict is a {describe(state)}, expected a dict")
    for name, value in state.items():
        if not isinstance(name, str):
            raise _EntryError(f"state_dict has a key of type {describe(name)}, expected names")
        yield name, value


def _tensor(name: str, value: object, storages: _Storages) -> Array:
    if not isinstance(value, TensorCall):
        raise _EntryError(f"{name} is a {describe(value)}, expected a tensor")
    match value.arguments:
        case (Storage(identity=identity), int(offset), tuple(sizes), tuple(strides), *_):
            elements, kind = storages.elements(name, identity)
        case _:
            raise _EntryError(f"{name} is rebuilt from unknown arguments")
    _check_view(name, elements.size, offset, sizes, strides)
    if 0 in sizes:  # nothing to look at, and numpy would still want the strides to make sense
        return np.empty(sizes, widen(elements[:0], kind).dtype)
    # The stride of a size of one is never taken, and may be anything.
    byte_strides = [stride * elements.itemsize if size > 1 else 0 for size, stride in zip(sizes, strides, strict=True)]
    view = np.lib.stride_tricks.as_strided(elements[offset:], sizes, byte_strides, writeable=False)
    return widen(view, kind)


def _check_view(name: str, available: int, offset: int, sizes: tuple[object, ...], strides: tuple[object, ...]) -> None:
    """Refuse a view that leaves its storage, which numpy would not notice. Python's whole numbers do not overflow."""
    if len(sizes) != len(strides) or len(sizes) > MAX_DIMENSIONS:
        raise _EntryError(f"{name} has {len(sizes)} sizes and {len(strides)} strides")
    last, extent = offset, 1
    for size, stride in zip(sizes, strides, strict=True):
        if type(size) is not int or type(stride) is not int or size < 0 or stride < 0:
            raise _EntryError(f"{name} has a size or stride that is not a whole number from 0 up")
        last += (size - 1) * stride
        extent *= max(size, 1)  # empty tensors too: numpy refuses to make one whose other sizes are enormous
    if extent > max(available, MAX_EXPANDED):
        raise _EntryError(f"{name} has {extent} elements, its storage {available}")
    if offset < 0 or (0 not in sizes and last >= available):
        raise _EntryError(f"{name} reaches from element {offset} to {last} of a storage of {available}")
