from pathlib import Path

import numpy as np
import pytest

from wilor_sidecar.weights.element_types import Array
from wilor_sidecar.weights.torch_zip import read_torch_zip

from .files import REBUILD, state_dict, storage, tensor, write_torch_zip
from .pickles import ORDERED_DICT, Build, Filled, Global, New, Reduce

TWELVE = np.arange(12, dtype=np.float32)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("DoubleStorage", np.array([1.5, -2.5e300], "<f8")),
        ("FloatStorage", np.array([1.5, -2.5e30], "<f4")),
        ("HalfStorage", np.array([1.5, -65504], "<f2")),
        ("LongStorage", np.array([-(2**62), 7], "<i8")),
        ("IntStorage", np.array([-(2**31), 7], "<i4")),
        ("ShortStorage", np.array([-(2**15), 7], "<i2")),
        ("CharStorage", np.array([-128, 7], "i1")),
        ("ByteStorage", np.array([255, 7], "u1")),
        ("BoolStorage", np.array([True, False])),
    ],
)
def test_every_element_type(kind: str, values: Array, tmp_path: Path) -> None:
    """Every element type comes back with its dtype and its bits."""
    path = write_torch_zip(
        tmp_path / "a.ckpt", state_dict({"x": tensor("0", 2, 0, (2,), (1,), kind)}), {"0": values.tobytes()}
    )
    read = read_torch_zip(path)["x"]
    assert read.dtype == values.dtype
    assert read.tobytes() == values.tobytes()


def test_bfloat16_widens_exactly(tmp_path: Path) -> None:
    """bfloat16 comes as the float32 with the same upper half, also through a strided view."""
    halves = np.array([0x3F80, 0xC020, 0x7F7F, 0x0001], "<u2")
    root = state_dict(
        {"x": tensor("0", 4, 3, (1,), (1,), "BFloat16Storage"), "y": tensor("0", 4, 0, (2,), (2,), "BFloat16Storage")}
    )
    tensors = read_torch_zip(write_torch_zip(tmp_path / "a.ckpt", root, {"0": halves.tobytes()}))
    assert tensors["x"].view(np.uint32).tolist() == [0x00010000]
    assert tensors["y"].dtype == np.float32
    assert tensors["y"].tolist() == [1.0, np.float32(3.3895314e38)]


@pytest.mark.parametrize(
    ("offset", "size", "stride", "expected"),
    [
        (0, (3, 4), (4, 1), TWELVE.reshape(3, 4)),
        (0, (4, 3), (1, 4), TWELVE.reshape(3, 4).T),
        (5, (2, 2), (4, 1), TWELVE.reshape(3, 4)[1:, 1:3]),
        (1, (6,), (2,), TWELVE[1::2]),
        (7, (), (), TWELVE[7]),
        (3, (2, 5), (1, 0), np.stack([TWELVE[3:5]] * 5, axis=1)),
        (12, (0, 4), (4, 1), np.zeros((0, 4), np.float32)),
        (11, (1,), (10**30,), TWELVE[11:]),
    ],
)
def test_every_kind_of_view(
    offset: int, size: tuple[int, ...], stride: tuple[int, ...], expected: Array, tmp_path: Path
) -> None:
    """Whole, transposed, sliced, scalar, expanded and empty tensors come out as they went in."""
    root = state_dict({"x": tensor("0", 12, offset, size, stride)})
    read = read_torch_zip(write_torch_zip(tmp_path / "a.ckpt", root, {"0": TWELVE.tobytes()}))["x"]
    assert read.shape == expected.shape
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, expected)


def test_tensors_are_views_of_the_file(tmp_path: Path) -> None:
    """Reading copies nothing: two tensors of one storage share memory, and neither can be written to."""
    root = state_dict({"x": tensor("0", 12, 0, (12,), (1,)), "y": tensor("0", 12, 4, (4,), (1,))})
    path = write_torch_zip(tmp_path / "a.ckpt", root, {"0": TWELVE.tobytes()})
    tensors = read_torch_zip(path)
    assert np.shares_memory(tensors["x"], tensors["y"])
    assert not tensors["x"].flags.writeable
    changed = path.read_bytes().replace(TWELVE.tobytes(), (-TWELVE).tobytes())
    with path.open("r+b") as file:
        file.write(changed)
    np.testing.assert_array_equal(tensors["x"], -TWELVE)


def test_parameters_and_plain_dicts(tmp_path: Path) -> None:
    """A parameter is its tensor, and a checkpoint may be a plain dict; an absent byteorder means little."""
    parameter = Reduce(
        Global("torch._utils", "_rebuild_parameter"), (tensor("0", 12, 0, (12,), (1,)), True, ORDERED_DICT)
    )
    path = write_torch_zip(tmp_path / "a.ckpt", {"x": parameter}, {"0": TWELVE.tobytes()}, byteorder=None)
    np.testing.assert_array_equal(read_torch_zip(path)["x"], TWELVE)


def test_what_training_left_is_inert(tmp_path: Path) -> None:
    """Hyper-parameters, unknown storages and broken tensors outside state_dict do not matter."""
    root: dict[str, object] = {
        "hyper_parameters": Filled(
            New(Global("yacs.config", "CfgNode")), {"MODEL": New(Global("yacs.config", "CfgNode"))}
        ),
        "optimizer_states": [tensor("nowhere", 10**9, 0, (10**9,), (1,), "ComplexFloatStorage")],
        "callbacks": Reduce(Global("os", "system"), ("false",)),
        "state_dict": Build(
            Filled(ORDERED_DICT, {"x": Reduce(REBUILD, (storage("0", 12), 0, (12,), (1,), False, ORDERED_DICT, None))}),
            {"_metadata": ORDERED_DICT},
        ),
    }
    tensors = read_torch_zip(write_torch_zip(tmp_path / "a.ckpt", root, {"0": TWELVE.tobytes()}))
    assert list(tensors) == ["x"]


def test_the_same_as_torch(tmp_path: Path) -> None:
    """Every kind of tensor that torch saves is read bit for bit as torch reads it."""
    torch = pytest.importorskip("torch", reason="torch is not installed; it is needed only to compare with")
    grid = torch.arange(24, dtype=torch.float32).reshape(4, 6) / 7
    saved = {
        "whole": grid,
        "transposed": grid.T,
        "sliced": grid[1:3, ::2],
        "expanded": grid[:1].expand(5, 6),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(grid[2]),
        "float64": grid.double(),
        "float16": grid.half(),
        "bfloat16": grid.bfloat16().T,
        "permuted": torch.arange(120.0).reshape(2, 3, 4, 5).permute(3, 1, 0, 2),
        **{
            str(kind): torch.tensor([-3, 0, 5]).to(kind) for kind in (torch.int64, torch.int32, torch.int16, torch.int8)
        },
        "uint8": torch.tensor([0, 255], dtype=torch.uint8),
        "bool": torch.tensor([True, False]),
    }
    torch.save({"state_dict": saved, "epoch": 3}, tmp_path / "a.ckpt")
    tensors = read_torch_zip(tmp_path / "a.ckpt")
    assert list(tensors) == list(saved)
    for name, value in saved.items():
        wide = value.detach().float() if value.dtype == torch.bfloat16 else value.detach()
        expected = wide.contiguous().numpy()
        assert (tensors[name].dtype, tensors[name].shape) == (expected.dtype, expected.shape), name
        assert tensors[name].tobytes() == expected.tobytes(), name
