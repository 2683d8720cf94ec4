import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from wilor_sidecar.isolation import Limits
from wilor_sidecar.mlx import mx
from wilor_sidecar.weights.convert import convert
from wilor_sidecar.weights.convert_isolated import ConversionRequest, convert_isolated
from wilor_sidecar.weights.element_types import Array
from wilor_sidecar.weights.errors import WeightsError
from wilor_sidecar.weights.layout import BlocksDtype, Sizes, tensor_specs
from wilor_sidecar.weights.model_config import read_config
from wilor_sidecar.weights.quantisation import PackedLayer
from wilor_sidecar.weights.seeded import write_seeded_checkpoint

from .files import REFERENCE, needs_reference, write_checkpoint
from .test_mano_file import npz_entries, plain_entries, write_pickle
from .test_wilor_mlx_files import wilor_mlx_tensors

SEED_FORMAT = REFERENCE / "seed-format"


def save(tensors: dict[str, Array], path: Path) -> Path:
    """Write tensors, straightened out, as safetensors."""
    save_file({name: np.ascontiguousarray(array) for name, array in tensors.items()}, path)
    return path


def without_mano(tensors: dict[str, Array]) -> dict[str, Array]:
    """The network's own tensors."""
    return {name: array for name, array in tensors.items() if not name.startswith("mano.")}


def assert_weights(folder: Path, expected: dict[str, Array]) -> None:
    """The folder holds these values, all and only the layout's tensors, in the layout's dtypes."""
    config = read_config(folder)
    tensors = load_file(folder / "model.safetensors")
    specs = tensor_specs(config.network, config.dtype)
    assert tensors.keys() == specs.keys()
    for name, spec in specs.items():
        assert tensors[name].dtype == np.dtype(spec.dtype), name
        np.testing.assert_array_equal(tensors[name], expected[name].astype(spec.dtype), err_msg=name)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_safetensors_with_upstreams_names(
    dtype: str, seeded: dict[str, Array], seeded_file: Path, tmp_path: Path
) -> None:
    """Values survive exactly, or rounded to float16 in the blocks; the configuration says where they came from."""
    out = convert(seeded_file, tmp_path / "out", dtype=dtype)  # type: ignore[arg-type]
    assert_weights(out, seeded)
    config = read_config(out)
    assert config.network == Sizes(64, 2, 1)
    assert (config.name, config.dtype, config.trained, config.mano) == ("seeded", dtype, True, None)
    assert (config.source.name, config.source.kind) == ("seeded.safetensors", "upstream-safetensors")
    assert config.source.sha256 == hashlib.sha256(seeded_file.read_bytes()).hexdigest()
    assert config.weights_sha256 == hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest()
    assert "CC BY-NC-ND 4.0" in config.licence
    assert str(seeded_file.parent) not in (out / "config.json").read_text()


def test_a_checkpoint(seeded: dict[str, Array], tmp_path: Path) -> None:
    """A PyTorch zip converts to the same weights; what training left in state_dict is dropped."""
    extras = {
        "refine_net.deconv.deconv.0.1.num_batches_tracked": np.array(9),
        "mano.hand_mean": np.zeros(45, np.float32),
        "discriminator.layer.weight": np.zeros(3, np.float32),
        "initialized": np.array(1),
    }
    source = write_checkpoint(tmp_path / "wilor_final.ckpt", seeded | extras)
    out = convert(source, tmp_path / "out", heads=4, name="mine")
    assert_weights(out, seeded)
    config = read_config(out)
    assert (config.name, config.source.kind, config.network.heads) == ("mine", "upstream-checkpoint", 4)


def test_wilor_mlx_needs_mano(seeded: dict[str, Array], tmp_path: Path) -> None:
    """wilor-mlx's file lacks MANO: the error names the option, and with it the conversion is exact."""
    source = save(wilor_mlx_tensors(without_mano(seeded)), tmp_path / "wilor-mlx.safetensors")
    with pytest.raises(WeightsError, match=r"wilor-mlx.safetensors: missing mano.* with --mano$"):
        convert(source, tmp_path / "out")
    mano = write_pickle(tmp_path, plain_entries())
    out = convert(source, tmp_path / "out", mano=mano)
    hand = {name: array for name, array in load_file(out / "model.safetensors").items() if name.startswith("mano.")}
    assert_weights(out, without_mano(seeded) | hand)
    config = read_config(out)
    assert config.source.kind == "wilor-mlx-float32"
    assert config.mano is not None
    assert config.mano.name == "MANO_RIGHT.pkl"
    assert config.mano.sha256 == hashlib.sha256(mano.read_bytes()).hexdigest()


def test_where_the_mean_hand_comes_from(seeded: dict[str, Array], tmp_path: Path) -> None:
    """The option wins over the source, the source over MANO's cache; without any of them the error names the option."""
    np.savez(tmp_path / "mano.npz", **npz_entries())  # type: ignore[arg-type]
    np.savez(tmp_path / "mean.npz", pose=np.full(96, 0.25), shape=np.zeros(10), cam=np.zeros(3))
    whole = save(seeded, tmp_path / "whole.safetensors")
    lacking = save({name: a for name, a in seeded.items() if ".init_" not in name}, tmp_path / "lacking.safetensors")

    def mean_pose(source: Path, out: str, **options: Path) -> float:
        made = convert(source, tmp_path / out, **options)  # type: ignore[arg-type]
        return float(load_file(made / "model.safetensors")["backbone.init_hand_pose"][0, 0])

    mano, mean = tmp_path / "mano.npz", tmp_path / "mean.npz"
    assert mean_pose(whole, "a", mano=mano) == seeded["backbone.init_hand_pose"][0, 0]
    assert mean_pose(whole, "b", mano=mano, mean_params=mean) == 0.25
    assert mean_pose(lacking, "c", mano=mano) == 0.5
    assert mean_pose(lacking, "d", mean_params=mean) == 0.25
    with pytest.raises(WeightsError, match=r"missing backbone.init_betas.* with --mean-params$"):
        convert(lacking, tmp_path / "e")


def test_float16_that_overflows(seeded: dict[str, Array], tmp_path: Path) -> None:
    """A weight beyond float16 is refused by name and value; 65504 fits, and outside the blocks size does not matter."""
    name = "backbone.blocks.1.attn.qkv.bias"
    large = np.zeros(192, np.float32)
    large[3] = 65504
    elsewhere = {"backbone.last_norm.weight": np.full(64, 1e6, np.float32)}
    convert(save(seeded | elsewhere | {name: large}, tmp_path / "x"), tmp_path / "fits", dtype="float16")
    large[3] = -70000
    source = save(seeded | {name: large}, tmp_path / "y")
    with pytest.raises(WeightsError, match=rf"y: {name} reaches 70000, which float16 cannot hold"):
        convert(source, tmp_path / "out", dtype="float16")
    convert(source, tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone.blocks.1.norm1.bias": None}, "missing backbone.blocks.1.norm1.bias$"),
        ({"backbone.blocks.1.norm3.bias": np.zeros(3)}, "unexpected backbone.blocks.1.norm3.bias$"),
        ({"mano.surprise": np.zeros(3)}, "unexpected mano.surprise$"),
        ({f"x{number}": np.zeros(1) for number in range(11)}, "unexpected x0, x1, .* and 3 more$"),
        ({"backbone.deccam.bias": np.zeros(4)}, r"backbone.deccam.bias has shape \(4,\), expected \(3,\)"),
        ({"backbone.deccam.bias": np.full(3, np.nan)}, "backbone.deccam.bias holds NaN or infinity"),
        ({"backbone.deccam.bias": np.zeros(3, np.int32)}, "backbone.deccam.bias has dtype int32"),
        ({"mano.parents": np.arange(16)}, "mano.parents is"),
        ({"mano.parents": np.array([-1, 2, 0, *range(2, 15)])}, "mano.parents is .*joints that came before"),
        ({"mano.parents": np.zeros(16)}, "mano.parents has dtype float64"),
        ({"mano.joint_map": np.full(21, 21)}, "mano.joint_map holds 21 to 21, expected 0 to 20"),
        ({"mano.extra_joints_idxs": np.array([1, 2, 3, 4, -1])}, "mano.extra_joints_idxs holds -1 to 4"),
        ({"backbone.pos_embed": None}, "no backbone.pos_embed"),
        ({"backbone.pos_embed": np.zeros((1, 193, 72))}, "width 72 is a multiple of neither 80 nor 64.*--heads"),
    ],
)
def test_sources_that_are_wrong(
    change: dict[str, Array | None], message: str, seeded: dict[str, Array], tmp_path: Path
) -> None:
    """A key that is missing, unexpected, misshapen or not finite is named, and nothing is left behind."""
    tensors = {name: array for name, array in (seeded | change).items() if array is not None}
    source = save(tensors, tmp_path / "x")
    with pytest.raises(WeightsError, match=f"^x: {message}") as caught:
        convert(source, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["x"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "neither a PyTorch checkpoint"),
        (b"\x80\x02}q\x00.", "PyTorch before 1.6"),
        (b"\x89PNG\r\n", "neither a PyTorch checkpoint"),
        (b"PK\x03\x04", "not a readable zip"),
        (b"\x02" + bytes(7) + b"{}", "no backbone.pos_embed"),
    ],
)
def test_files_of_another_kind(content: bytes, message: str, tmp_path: Path) -> None:
    """What a file is, is told from its content; others are refused with the reason."""
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(WeightsError, match=f"x: .*{message}"):
        convert(tmp_path / "x", tmp_path / "out")


def test_paths_that_lead_nowhere(seeded_file: Path, tmp_path: Path) -> None:
    """A missing source, a folder as a source and a missing parent are errors that say so."""
    for source, out in (("none", "out"), (".", "out"), (str(seeded_file), "no/out")):
        with pytest.raises(WeightsError, match=r"No such file|directory|not a folder"):
            convert(tmp_path / source, tmp_path / out)


def test_an_existing_folder_is_kept(folder: Path, seeded_file: Path) -> None:
    """A converted folder is replaced only when told to, and then wholly."""
    before = (folder / "model.safetensors").read_bytes()
    with pytest.raises(WeightsError, match="exists already; --overwrite"):
        convert(seeded_file, folder, dtype="float16")
    assert (folder / "model.safetensors").read_bytes() == before
    convert(seeded_file, folder, dtype="float16", overwrite=True)
    assert read_config(folder).dtype == "float16"
    assert sorted(entry.name for entry in folder.parent.iterdir()) == ["folder"]


def test_other_things_are_never_replaced(folder: Path, seeded_file: Path, tmp_path: Path) -> None:
    """Files, links and folders with anything else in them stay, whatever is asked."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(convert(seeded_file, tmp_path / "target"))
    (folder / "notes.txt").write_text("mine")
    for name in ("file", "empty", "link", "folder"):
        with pytest.raises(WeightsError, match="not a converted folder; it is left alone"):
            convert(seeded_file, tmp_path / name, overwrite=True)
    assert (folder / "notes.txt").read_text() == "mine"
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_nothing_half_made_is_left(
    call: str, folder: Path, seeded_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the disk fails at the end, the old folder is still there and whole, and no other."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = (folder / "config.json").read_bytes()
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(WeightsError, match=r"cannot be written \(No space left"):
        convert(seeded_file, folder, overwrite=True)
    with pytest.raises(WeightsError, match=r"cannot be written \(No space left"):
        convert(seeded_file, tmp_path / "new")
    monkeypatch.undo()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["folder"]
    assert (folder / "config.json").read_bytes() == before


def test_a_failed_replacement_brings_the_old_back(
    folder: Path, seeded_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the new folder cannot take the old one's place, the old one returns to it."""
    rename = Path.rename

    def fail_for_new(self: Path, target: Path) -> Path:
        if ".partial-" in self.name:
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_for_new)
    with pytest.raises(WeightsError, match="Input/output error"):
        convert(seeded_file, folder, dtype="float16", overwrite=True)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["folder"]
    assert read_config(folder).dtype == "float32"


def test_conversions_are_repeatable(seeded_file: Path, tmp_path: Path) -> None:
    """The same source gives the same bytes, so folders can be compared by their digests."""
    first, second = (convert(seeded_file, tmp_path / name) for name in ("a", "b"))
    for file in ("model.safetensors", "config.json"):
        assert (first / file).read_bytes() == (second / file).read_bytes()
    json.loads((first / "config.json").read_text())


@needs_reference
def test_the_references_convert_to_the_same_weights(tmp_path: Path) -> None:
    """Tiny's checkpoint and wilor-mlx's file of it become byte-identical weights, with either MANO file."""
    digests = {
        read_config(out).weights_sha256
        for out in (
            convert(REFERENCE / "tiny" / "wilor_final.ckpt", tmp_path / "a"),
            convert(SEED_FORMAT / "wilor-mlx.safetensors", tmp_path / "b", mano=SEED_FORMAT / "mano.npz"),
            convert(SEED_FORMAT / "wilor-mlx.safetensors", tmp_path / "c", mano=REFERENCE / "tiny" / "MANO_RIGHT.pkl"),
        )
    }
    assert len(digests) == 1


@needs_reference
@pytest.mark.parametrize("folder_name", ["wide", "frame"])
def test_the_other_references_convert(folder_name: str, tmp_path: Path) -> None:
    """Each reference checkpoint converts by itself, and with its own MANO and mean hand to the same weights."""
    folder = REFERENCE / folder_name
    alone = convert(folder / "wilor_final.ckpt", tmp_path / "a")
    mano, mean = folder / "MANO_RIGHT.pkl", folder / "mano_mean_params.npz"
    brought = convert(folder / "wilor_final.ckpt", tmp_path / "b", mano=mano, mean_params=mean)
    assert read_config(alone).weights_sha256 == read_config(brought).weights_sha256
    assert read_config(alone).network == Sizes(160, 3, 2)


@pytest.mark.parametrize(("dtype", "bound"), [("int8", 0.004), ("int4", 0.07)])
def test_quantised_blocks(
    dtype: BlocksDtype, bound: float, seeded: dict[str, Array], seeded_file: Path, tmp_path: Path
) -> None:
    """The blocks' layers are packed, norms and biases are float16, and everything else is untouched."""
    out = convert(seeded_file, tmp_path / "out", dtype=dtype)
    tensors = load_file(out / "model.safetensors")
    specs = tensor_specs(Sizes(64, 2, 1), dtype)
    assert {name: (array.shape, array.dtype) for name, array in tensors.items()} == {
        name: (spec.shape, np.dtype(spec.dtype)) for name, spec in specs.items()
    }
    packed = [name.removesuffix(".scales") for name in tensors if name.endswith(".scales")]
    assert sorted(packed) == sorted(
        f"backbone.blocks.{block}.{layer}"
        for block in range(2)
        for layer in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
    )
    for layer in packed:
        weight, scales, biases = (tensors.pop(f"{layer}.{part}") for part in ("weight", "scales", "biases"))
        expected = seeded[f"{layer}.weight"]
        unpacked = PackedLayer(weight, scales, biases, expected.shape[1]).unpacked()
        np.testing.assert_allclose(unpacked, expected, rtol=0, atol=bound, err_msg=layer)
    for name, array in tensors.items():
        np.testing.assert_array_equal(array, seeded[name].astype(array.dtype), err_msg=name)


def test_a_packed_source_is_not_rounded_again(seeded: dict[str, Array], tmp_path: Path) -> None:
    """wilor-mlx's int4 layers go into an int4 folder bit for bit, and into others unpacked."""
    tensors = wilor_mlx_tensors(without_mano(seeded))
    layer = "backbone.blocks.0.mlp.fc2"
    by_mlx = mx.quantize(mx.array(tensors[f"{layer}.weight"]), group_size=32, bits=4)
    for part, array in zip(("weight", "scales", "biases"), by_mlx, strict=True):
        tensors[f"{layer}.{part}"] = np.array(array)
    source = save(tensors, tmp_path / "wilor-mlx-int4.safetensors")
    mano = write_pickle(tmp_path, plain_entries())
    packed = load_file(convert(source, tmp_path / "packed", mano=mano, dtype="int4") / "model.safetensors")
    np.testing.assert_array_equal(packed[f"{layer}.weight"], tensors[f"{layer}.weight"])
    np.testing.assert_array_equal(packed[f"{layer}.scales"], tensors[f"{layer}.scales"].astype(np.float16))
    unpacked = load_file(convert(source, tmp_path / "unpacked", mano=mano) / "model.safetensors")
    weight, scales, biases = (tensors[f"{layer}.{part}"] for part in ("weight", "scales", "biases"))
    expected = PackedLayer(weight, scales, biases, 256).unpacked()
    np.testing.assert_array_equal(unpacked[f"{layer}.weight"], expected)


def test_weights_beyond_a_quantised_scale(seeded: dict[str, Array], tmp_path: Path) -> None:
    """Where a group reaches so far that float16 cannot hold its scale or bias, the layer is named."""
    name = "backbone.blocks.1.mlp.fc1.weight"
    large = seeded[name].copy()
    large[3, 5] = 1e8
    source = save(seeded | {name: large}, tmp_path / "x.safetensors")
    with pytest.raises(WeightsError, match=r"blocks.1.mlp.fc1.(scales|biases) .*(float16|infinity)"):
        convert(source, tmp_path / "out", dtype="int8")
    assert not (tmp_path / "out").exists()


def test_widths_that_cannot_be_quantised(tmp_path: Path) -> None:
    """Groups have 32 inputs, so a width of 48 is refused before anything is written."""
    source = tmp_path / "x.safetensors"
    write_seeded_checkpoint(source, seed=1, width=48, depth=1)
    with pytest.raises(WeightsError, match="48 inputs, and only multiples of 32"):
        convert(source, tmp_path / "out", heads=1, dtype="int4")
    assert list(tmp_path.iterdir()) == [source]


def test_isolated_conversion_is_the_same(seeded_file: Path, tmp_path: Path) -> None:
    """In a child process the same folder comes out, and the same errors."""
    here = convert(seeded_file, tmp_path / "here", dtype="float16", name="x")
    there = convert_isolated(ConversionRequest(str(seeded_file), str(tmp_path / "there"), dtype="float16", name="x"))
    for name in ("config.json", "model.safetensors"):
        assert (there / name).read_bytes() == (here / name).read_bytes()
    with pytest.raises(WeightsError, match=r"exists already; --overwrite"):
        convert_isolated(ConversionRequest(str(seeded_file), str(tmp_path / "there")))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(file_bytes=100_000), r"File too large|wrote more than|SIGXFSZ"),
        (Limits(wall_s=0.01), "took more than"),
    ],
)
def test_a_conversion_that_takes_too_much(limits: Limits, message: str, seeded_file: Path, tmp_path: Path) -> None:
    """It is stopped, the message names the source, and nothing half-made is left."""
    with pytest.raises(WeightsError, match=message):
        convert_isolated(ConversionRequest(str(seeded_file), str(tmp_path / "out")), limits)
    assert list(tmp_path.iterdir()) == []
