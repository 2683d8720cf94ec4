import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from wilor_sidecar.mlx import mx
from wilor_sidecar.weights import lazy
from wilor_sidecar.weights.convert import convert
from wilor_sidecar.weights.element_types import Array
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.folder import load_folder
from wilor_sidecar.weights.layout import tensor_specs
from wilor_sidecar.weights.model_config import ModelConfig

from .files import REFERENCE, needs_reference, write_raw_safetensors


def load_all(path: Path, *, check_digest: bool = False) -> tuple[ModelConfig, dict[str, mx.array]]:
    """Load a folder and take all of its tensors."""
    config, weights = load_folder(path, check_digest=check_digest)
    return config, weights.take()


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_round_trip(dtype: str, seeded: dict[str, Array], seeded_file: Path, tmp_path: Path) -> None:
    """What was converted is loaded: exactly in float32, rounded in the blocks in float16."""
    out = convert(seeded_file, tmp_path / "out", dtype=dtype)  # type: ignore[arg-type]
    config, tensors = load_all(out, check_digest=True)
    specs = tensor_specs(config.network, config.dtype)
    assert tensors.keys() == specs.keys()
    for name, spec in specs.items():
        loaded = np.array(tensors[name])
        assert loaded.dtype == np.dtype(spec.dtype), name
        np.testing.assert_array_equal(loaded, seeded[name].astype(spec.dtype), err_msg=name)


def test_small_groups_load_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many arrays are evaluated at once changes nothing, and bounds what one evaluation gets."""
    sizes: list[int] = []
    evaluate = mx.eval
    monkeypatch.setattr(lazy, "EVALUATED_AT_ONCE", 7)

    def count_and_evaluate(*arrays: mx.array) -> None:
        sizes.append(len(arrays))
        evaluate(*arrays)

    monkeypatch.setattr(mx, "eval", count_and_evaluate)
    load_all(folder)
    assert max(sizes) == 14  # seven arrays and whether they are finite
    assert len(sizes) == -(-len(load_file(folder / "model.safetensors")) // 7)


def _changed(tensors: dict[str, Array], change: dict[str, Array | None]) -> dict[str, Array]:
    return {name: array for name, array in (tensors | change).items() if array is not None}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone.deccam.bias": None}, r"backbone.deccam.bias is missing \(1 in all\)"),
        ({"backbone.more": np.zeros(1, np.float32)}, r"backbone.more is unexpected \(1 in all\)"),
        ({"backbone.deccam.bias": np.zeros(4, np.float32)}, r"deccam.bias has shape \(4,\), expected \(3,\)"),
        ({"backbone.deccam.bias": np.zeros(3, np.float16)}, "deccam.bias has dtype F16, expected F32"),
        ({"backbone.blocks.0.norm1.bias": np.zeros(64, np.float16)}, "norm1.bias has dtype F16, expected F32"),
        ({"mano.parents": np.zeros(16, np.int64)}, "mano.parents has dtype I64, expected I32"),
        ({"backbone.deccam.bias": np.array([0, np.nan, 0], np.float32)}, "deccam.bias holds NaN or infinity"),
        ({"mano.v_template": np.full((778, 3), -np.inf, np.float32)}, "mano.v_template holds NaN or infinity"),
        ({"mano.parents": np.arange(-1, 15, dtype=np.int32) + 2}, "mano.parents is"),
        ({"mano.faces_tensor": np.full((1538, 3), 778, np.int32)}, "mano.faces_tensor holds 778 to 778"),
        ({"mano.joint_map": np.full(21, -1, np.int32)}, "mano.joint_map holds -1"),
    ],
)
def test_weights_that_are_not_the_layouts(change: dict[str, Array | None], message: str, folder: Path) -> None:
    """A missing or extra key, a wrong shape, dtype, value or index each names the key and the folder."""
    file = folder / "model.safetensors"
    save_file(_changed(load_file(file), change), file)
    with pytest.raises(WeightsError, match=f"{folder}: .*{message}") as caught:
        load_all(folder)
    assert "\n" not in str(caught.value)


def _truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def _longer(file: Path) -> None:
    file.write_bytes(file.read_bytes() + bytes(4))


def _missing(file: Path) -> None:
    file.unlink()


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _overlapping(file: Path) -> None:
    """Two tensors of one shape made to share their bytes: MLX alone would load this."""
    content = file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    norm = "backbone.blocks.0.norm1"
    header[f"{norm}.bias"]["data_offsets"] = header[f"{norm}.weight"]["data_offsets"]
    write_raw_safetensors(file, header, content[8 + length :])


@pytest.mark.parametrize("damage", [_truncated, _longer, _missing, _empty, _overlapping])
def test_damaged_weights(damage: Callable[[Path], None], folder: Path) -> None:
    """A file that is cut, longer, missing, empty or overlaps itself is refused before MLX sees it."""
    damage(folder / "model.safetensors")
    with pytest.raises(WeightsError, match=r"model.safetensors: not a sound safetensors file"):
        load_all(folder)


def test_cut_after_the_header_was_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLX reads lazily: a file that shrinks after it was opened is an error when its data are fetched."""
    load = mx.load

    def load_then_cut(path: str, format: str) -> object:  # noqa: A002 (MLX calls it so)
        loaded = load(path, format=format)
        _truncated(Path(path))
        return loaded

    monkeypatch.setattr(mx, "load", load_then_cut)
    with pytest.raises(WeightsError, match="MLX cannot read"):
        load_all(folder)


def test_a_changed_weight_shows_in_the_digest(folder: Path) -> None:
    """One flipped bit that leaves everything plausible is found when the digest is asked for, and only then."""
    file = folder / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-4] ^= 1
    file.write_bytes(content)
    load_all(folder)
    with pytest.raises(WeightsError, match=r"model.safetensors: has SHA-256"):
        load_all(folder, check_digest=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dtype": "bfloat16"}, "dtype"),
        ({"dtype": None}, "dtype"),
        ({"format": "other"}, "format"),
        ({"format_version": 2}, "format_version"),
        ({"surprise": 1}, "surprise"),
        ({"name": ""}, "name"),
        ({"trained": "yes"}, "trained"),
        ({"sizes": {"width": 64, "depth": 2}}, "heads"),
        ({"sizes": {"width": 64.5, "depth": 2, "heads": 1}}, "width"),
        ({"sizes": {"width": 64, "depth": 2, "heads": 3}}, "heads is 3, expected a divisor of the width 64"),
        ({"sizes": {"width": 10**30, "depth": 2, "heads": 1}}, "width"),
        ({"sizes": {"width": 64, "depth": -1, "heads": 1}}, "depth is -1"),
        ({"weights_sha256": "abc"}, "weights_sha256"),
        ({"source": {"name": "x", "kind": "somewhere", "sha256": "0" * 64}}, "source.kind"),
    ],
)
def test_configurations_that_are_wrong(change: dict[str, object], message: str, folder: Path) -> None:
    """A field that is missing, unknown or impossible is named, with the file."""
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(WeightsError, match=f"config.json: .*{message}"):
        load_all(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b" " * (1 << 20) + b"{}"])
def test_configurations_that_are_not_json(content: bytes, folder: Path) -> None:
    """Anything else in the file's place is an error of one line."""
    (folder / "config.json").write_bytes(content)
    with pytest.raises(WeightsError, match=r"config\.json: ") as caught:
        load_all(folder)
    assert "\n" not in str(caught.value)


def test_other_sizes_than_the_weights(folder: Path) -> None:
    """A configuration of another network names the first tensor that does not fit it."""
    file = folder / "config.json"
    config = json.loads(file.read_text())
    config["sizes"]["depth"] = 3
    file.write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=r"backbone.blocks.2.attn.proj.bias is missing \(12 in all\)"):
        load_all(folder)


def test_a_path_that_is_no_folder(tmp_path: Path) -> None:
    """A path that leads nowhere asks whether it is a converted folder."""
    with pytest.raises(WeightsError, match=r"is .*none a converted folder"):
        load_all(tmp_path / "none")


@needs_reference
def test_the_int4_reference_loads(tmp_path: Path) -> None:
    """wilor-mlx's int4 file converts and loads as float32."""
    files = REFERENCE / "seed-format"
    out = convert(files / "wilor-mlx-int4.safetensors", tmp_path / "out", mano=files / "mano.npz")
    config, tensors = load_all(out, check_digest=True)
    assert config.source.kind == "wilor-mlx-int4"
    assert tensors["backbone.blocks.0.attn.qkv.weight"].shape == (480, 160)
