"""Files for the tests: PyTorch-style zips, raw safetensors, and where the reference files would be."""

import json
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from wilor_sidecar.weights.element_types import Array

from .pickles import ORDERED_DICT, Filled, Global, Persistent, Reduce, dumps

REFERENCE = Path(__file__).parents[4] / "shared" / "reference"
needs_reference = pytest.mark.skipif(not REFERENCE.is_dir(), reason="the reference files are not beside this checkout")

REBUILD = Global("torch._utils", "_rebuild_tensor_v2")


def storage(key: str, numel: object, kind: str = "FloatStorage") -> Persistent:
    """A reference to `data/key`."""
    return Persistent(("storage", Global("torch", kind), key, "cpu", numel))


def tensor(
    key: str,
    numel: object,
    offset: object,
    size: tuple[object, ...],
    stride: tuple[object, ...],
    kind: str = "FloatStorage",
) -> Reduce:
    """A tensor that is a view of a storage, as torch.save writes it."""
    return Reduce(REBUILD, (storage(key, numel, kind), offset, size, stride, False, ORDERED_DICT))


def state_dict(entries: dict[str, object]) -> dict[str, object]:
    """A checkpoint of nothing but a state_dict."""
    return {"state_dict": Filled(ORDERED_DICT, entries)}


def write_torch_zip(
    path: Path, root: object, data: Mapping[str, bytes], *, byteorder: bytes | None = b"little"
) -> Path:
    """Write what torch.save would: stored members in a folder named after the file."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", dumps(root))
        if byteorder is not None:
            archive.writestr("archive/byteorder", byteorder)
        for key, content in data.items():
            archive.writestr(f"archive/data/{key}", content)
        archive.writestr("archive/version", b"3\n")
    return path


def write_checkpoint(path: Path, tensors: Mapping[str, Array]) -> Path:
    """Write arrays as a PyTorch checkpoint."""
    kinds = {"float32": "FloatStorage", "int64": "LongStorage"}
    entries: dict[str, object] = {}
    data: dict[str, bytes] = {}
    for key, (name, array) in enumerate(tensors.items()):
        stride = tuple(step // array.itemsize for step in array.copy(order="C").strides)
        entries[name] = tensor(str(key), array.size, 0, array.shape, stride, kinds[str(array.dtype)])
        data[str(key)] = array.tobytes()
    return write_torch_zip(path, state_dict(entries), data)


def write_raw_safetensors(path: Path, header: object, data: bytes) -> Path:
    """Write a safetensors file whose header says whatever it is given."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path
