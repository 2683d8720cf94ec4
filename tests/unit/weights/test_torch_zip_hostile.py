import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.torch_zip import MAX_EXPANDED, read_torch_zip

from .files import REBUILD, state_dict, storage, tensor, write_torch_zip
from .pickles import ORDERED_DICT, Build, Filled, Global, New, Persistent, Reduce, dumps

FOUR = np.arange(4, dtype=np.float32).tobytes()
GOOD = state_dict({"x": tensor("0", 4, 0, (4,), (1,))})


def refused(path: Path, message: str) -> None:
    """Reading the file is a WeightsError of one line that begins with the file's name."""
    with pytest.raises(WeightsError, match=message) as caught:
        read_torch_zip(path)
    assert str(caught.value).startswith(path.name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("view", "message"),
    [
        ((5, (1,), (1,)), "reaches from element 5 to 5 of a storage of 4"),
        ((4, (1,), (1,)), "reaches from element 4"),
        ((0, (5,), (1,)), "reaches from element 0 to 4"),
        ((0, (2, 2), (3, 1)), "to 4 of a storage of 4"),
        ((-1, (2,), (1,)), "reaches from element -1"),
        ((3, (2,), (-1,)), "not a whole number from 0 up"),
        ((0, (-1,), (1,)), "not a whole number from 0 up"),
        ((0, (2.0,), (1,)), "not a whole number from 0 up"),
        ((0, (True,), (1,)), "not a whole number from 0 up"),
        ((0, (10**9,), (1,)), "1000000000 elements"),
        ((0, (10**9,), (0,)), "1000000000 elements"),
        ((0, (MAX_EXPANDED + 1,), (0,)), "elements"),
        ((0, (2**40, 2**40), (0, 0)), "elements"),
        ((0, (0, 10**30), (1, 1)), "elements"),
        ((0, (2**24, 2**24, 2**24, 0), (0, 0, 0, 0)), "elements"),
        ((2**63, (2,), (2**63,)), "reaches from"),
        ((0, (2,), (2**62,)), "reaches from"),
        ((0, (2, 2), (1,)), "2 sizes and 1 strides"),
        ((0, (1,) * 17, (1,) * 17), "17 sizes"),
        (("0", (4,), (1,)), "unknown arguments"),
        ((0, [4], (1,)), "unknown arguments"),
    ],
)
def test_views_outside_their_storage(view: tuple[object, object, object], message: str, tmp_path: Path) -> None:
    """A view that leaves its storage, or would be enormous, is refused before it is made; the tensor is named."""
    offset, size, stride = view
    root = state_dict({"x": Reduce(REBUILD, (storage("0", 4), offset, size, stride, False, ORDERED_DICT))})
    refused(write_torch_zip(tmp_path / "a.ckpt", root, {"0": FOUR}), f"x .*{message}")


def test_expanding_to_the_limit(tmp_path: Path) -> None:
    """As many elements as allowed can be expanded to, without memory being taken."""
    root = state_dict({"x": tensor("0", 4, 3, (MAX_EXPANDED,), (0,))})
    read = read_torch_zip(write_torch_zip(tmp_path / "a.ckpt", root, {"0": FOUR}))["x"]
    assert read.shape == (MAX_EXPANDED,)
    assert read[-1] == 3


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (tensor("0", 5, 0, (4,), (1,)), "x: storage 0 has 16 bytes, expected 5 x float32"),
        (tensor("0", 3, 0, (3,), (1,)), "x: storage 0 has 16 bytes"),
        (tensor("0", -4, 0, (4,), (1,)), "x: storage 0 has 16 bytes"),
        (tensor("0", 10**20, 0, (4,), (1,)), "x: storage 0 has 16 bytes"),
        (tensor("1", 4, 0, (4,), (1,)), "data/1 is missing"),
        (tensor("../../etc/passwd", 4, 0, (4,), (1,)), "is missing"),
        (tensor("0", 4, 0, (4,), (1,), "ComplexFloatStorage"), "x has elements of torch.ComplexFloatStorage"),
        (Reduce(REBUILD, (Persistent(("storage",)), 0, (4,), (1,))), "x refers to its storage in an unknown way"),
        (Reduce(REBUILD, (Persistent("storage"), 0, (4,), (1,))), "x refers to its storage in an unknown way"),
        (Reduce(REBUILD, ()), "x is rebuilt from unknown arguments"),
        (New(Global("yacs.config", "CfgNode")), "x is a yacs.config.CfgNode, expected a tensor"),
        (Global("yacs.config", "CfgNode"), "x is a yacs.config.CfgNode, expected a tensor"),
        (Reduce(Global("os", "system"), ("touch canary",)), "x is a os.system, expected a tensor"),
        (
            Reduce(Global("torch._tensor", "_rebuild_from_type_v2"), (1, 2)),
            "x is a torch._tensor._rebuild_from_type_v2",
        ),
        (New(Global("new\rline", "\x1b[31m")), r"x is a new\\rline\.\\x1b\[31m, expected a tensor"),
        ("text", "x is a str, expected a tensor"),
        ({"y": 1}, "x is a dict, expected a tensor"),
    ],
)
def test_entries_that_are_no_tensors(entry: object, message: str, tmp_path: Path) -> None:
    """Whatever is not a sound tensor inside state_dict is refused by name."""
    refused(write_torch_zip(tmp_path / "a.ckpt", state_dict({"x": entry}), {"0": FOUR}), message)


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ([1], "the checkpoint is a list"),
        (New(Global("m", "Model")), "the checkpoint is a m.Model"),
        ({"state_dict": New(Global("m", "Model"))}, "state_dict is a m.Model"),
        ({"two\nlines \udc80": 1}, r"two\\nlines \\udc80 is a int"),
        ({3: tensor("0", 4, 0, (4,), (1,))}, "a key of type int"),
        ({"state_dict": Build(tensor("0", 4, 0, (4,), (1,)), {"arguments": ()})}, "state for something that has none"),
    ],
)
def test_checkpoints_of_another_kind(root: object, message: str, tmp_path: Path) -> None:
    """A checkpoint that is not a dict of named tensors says what it is."""
    refused(write_torch_zip(tmp_path / "a.ckpt", root, {"0": FOUR}), message)


def test_nothing_runs(tmp_path: Path) -> None:
    """A checkpoint that calls the system from beside its state_dict is read, and nothing happens."""
    canary = tmp_path / "canary"
    root = GOOD | {"x": Reduce(Global("os", "system"), (f"touch {canary}",))}
    assert list(read_torch_zip(write_torch_zip(tmp_path / "a.ckpt", root, {"0": FOUR}))) == ["x"]
    assert not canary.exists()


def test_big_endian(tmp_path: Path) -> None:
    """A checkpoint from a big-endian machine is refused rather than read backwards."""
    refused(write_torch_zip(tmp_path / "a.ckpt", GOOD, {"0": FOUR}, byteorder=b"big"), "byteorder is b'big'")


def _member_twice(path: Path) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("archive/data.pkl", dumps({}))


def _second_archive(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("other/data.pkl", dumps({}))


def _without_pickle(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/version", b"3")


def _compressed_pickle(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", dumps(GOOD))


def _zip_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", dumps(GOOD), zipfile.ZIP_STORED)
        archive.writestr("archive/data/0", bytes(1 << 24))


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def _not_a_zip(path: Path) -> None:
    path.write_bytes(b"PK\x03\x04 and then something else" * 10)


def _other_name_in_the_local_header(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"archive/data/0", b"archive/data/9", 1))


def _other_method_in_the_local_header(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(b"archive/data/0") - 22] = 8
    path.write_bytes(content)


def _larger_than_the_file(path: Path) -> None:
    content = bytearray(path.read_bytes())
    entry = content.index(b"archive/data/0", content.index(b"PK\x01\x02")) - 46
    content[entry + 20 : entry + 28] = struct.pack("<2L", 1 << 30, 1 << 30)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_member_twice, "names archive/data.pkl twice"),
        (_second_archive, "2 members named"),
        (_without_pickle, "0 members named"),
        (_compressed_pickle, "data.pkl is compressed"),
        (_zip_bomb, "data/0 is compressed"),
        (_truncated, "not a readable zip"),
        (_not_a_zip, "not a readable zip"),
        (_other_name_in_the_local_header, "data/0 has another name in its local header"),
        (_other_method_in_the_local_header, "data/0 has a local header that contradicts"),
        (_larger_than_the_file, "data/0 reaches beyond the end of the file"),
    ],
)
def test_damaged_zips(damage: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    """A zip that is cut, compressed, ambiguous or contradicts itself is refused."""
    path = write_torch_zip(tmp_path / "a.ckpt", GOOD, {"0": FOUR})
    assert list(read_torch_zip(path)) == ["x"]
    damage(path)
    refused(path, message)


def test_a_missing_file(tmp_path: Path) -> None:
    """A path that is not there is an error of the same kind."""
    refused(tmp_path / "a.ckpt", "No such file")


def test_a_large_pickle_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pickle's size is checked in the zip's directory, before it is copied."""
    path = write_torch_zip(tmp_path / "a.ckpt", GOOD, {"0": FOUR})
    monkeypatch.setattr("wilor_sidecar.weights.torch_zip.MAX_PICKLE_BYTES", len(dumps(GOOD)) - 1)
    monkeypatch.setattr("wilor_sidecar.weights.torch_zip.load", None)
    refused(path, "data.pkl has")


def test_every_truncation(tmp_path: Path) -> None:
    """A checkpoint cut at any length is refused, never half read."""
    whole = write_torch_zip(tmp_path / "a.ckpt", {"state_dict": Filled(ORDERED_DICT, {})}, {}).read_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / "a.ckpt").write_bytes(whole[:length])
        refused(tmp_path / "a.ckpt", "a.ckpt")
