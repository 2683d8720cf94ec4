import io
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save_file

from wilor_sidecar.weights.element_types import Array
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.layout import TensorSpec
from wilor_sidecar.weights.safetensors_file import (
    looks_like_safetensors,
    read_safetensors,
    read_shapes,
    write_safetensors,
)

from .files import write_raw_safetensors

GRID: Array = np.arange(6, dtype=np.float32).reshape(2, 3)


def entry(begin: int, end: int, shape: list[int], dtype: str = "F32") -> dict[str, object]:
    """A tensor of a header."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_files_of_the_library_are_read(tmp_path: Path) -> None:
    """Tensors that the library wrote come back as read-only views, scalars and empty ones too."""
    saved: dict[str, Array] = {
        "a": GRID,
        "b": np.array([1.5], np.float16),
        "c": np.array(3),
        "d": np.zeros((0, 2)),
        "e": np.array([True, False]),
    }
    save_file(saved, tmp_path / "x")
    tensors = read_safetensors(tmp_path / "x")
    assert tensors.keys() == saved.keys()
    for name, array in saved.items():
        assert tensors[name].dtype == array.dtype
        np.testing.assert_array_equal(tensors[name], array)
    assert not tensors["a"].flags.writeable


def test_bfloat16_widens(tmp_path: Path) -> None:
    """bfloat16, which the library cannot give to numpy, comes as float32."""
    write_raw_safetensors(tmp_path / "x", {"a": entry(0, 4, [2], "BF16")}, bytes.fromhex("803f20c0"))
    assert read_safetensors(tmp_path / "x")["a"].tolist() == [1.0, -2.5]


def test_what_is_written_the_library_reads() -> None:
    """Streamed files are sound, in the order given; arrays that are not in C order are straightened out."""
    specs = {"b": TensorSpec((3, 2), "float32"), "a": TensorSpec((3,), "int32"), "c": TensorSpec((), "float16")}
    tensors: dict[str, Array] = {"b": GRID.T, "a": np.arange(3, dtype=np.int32), "c": np.array(2.5, np.float16)}
    file = io.BytesIO()
    write_safetensors(file, specs, tensors.items())
    read = load(file.getvalue())
    for name, array in tensors.items():
        np.testing.assert_array_equal(read[name], array)
    length = int.from_bytes(file.getvalue()[:8], "little")
    assert list(json.loads(file.getvalue()[8 : 8 + length])) == ["b", "a", "c"]
    assert length % 8 == 0


def test_writing_something_else_than_announced() -> None:
    """Tensors that are not the announced ones are a programming error, not a bad file."""
    for tensors in ([], [("a", GRID)], [("b", GRID.T)], [("b", GRID.astype(np.float64))]):
        with pytest.raises(ValueError, match=r"announced|zip"):
            write_safetensors(io.BytesIO(), {"b": TensorSpec((2, 3), "float32")}, tensors)


@pytest.mark.parametrize(
    ("header", "size"),
    [
        ({"a": entry(0, 8, [2]), "b": entry(4, 12, [2])}, 12),  # overlap
        ({"a": entry(0, 4, [1]), "b": entry(8, 12, [1])}, 12),  # hole
        ({"a": entry(0, 4, [1])}, 8),  # more than announced
        ({"a": entry(0, 8, [2])}, 4),  # truncated
        ({"a": entry(0, 8, [3])}, 8),
        ({"a": entry(8, 0, [2])}, 8),
        ({"a": entry(-4, 4, [2])}, 8),
        ({"a": entry(0, 8, [2**62, 4])}, 8),
        ({"a": entry(0, 8, [2], "F33")}, 8),
        ([], 0),
        (b"{", 0),
        (
            b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
            8,
        ),
    ],
)
def test_unsound_files(header: object, size: int, tmp_path: Path) -> None:
    """Overlaps, holes, truncation, wrong sizes, unknown dtypes and repeated names are refused."""
    path = write_raw_safetensors(tmp_path / "x", header, bytes(size))
    for read in (read_shapes, read_safetensors):
        with pytest.raises(WeightsError, match="x: not a sound safetensors file"):
            read(path)


def test_an_unsupported_dtype(tmp_path: Path) -> None:
    """A sound file with elements that numpy lacks is refused by name."""
    path = write_raw_safetensors(tmp_path / "x", {"a": entry(0, 2, [2], "F8_E4M3")}, bytes(2))
    with pytest.raises(WeightsError, match="x: a has dtype F8_E4M3"):
        read_safetensors(path)


def test_sniffing(tmp_path: Path) -> None:
    """Only a plausible length followed by a JSON object looks like safetensors."""
    path = write_raw_safetensors(tmp_path / "x", {}, b"")
    assert looks_like_safetensors(path)
    for content in (b"", path.read_bytes()[:8], b"PK\x03\x04" * 9, b"\xff" * 8 + b"{", b"\x01" + bytes(7) + b"["):
        path.write_bytes(content)
        assert not looks_like_safetensors(path)
