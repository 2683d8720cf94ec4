"""The network against upstream's PyTorch model, which was run in float64: see goldens/."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from wilor_sidecar import device
from wilor_sidecar.mlx import mx
from wilor_sidecar.model import Wilor, load_model
from wilor_sidecar.model.vit import Backbone
from wilor_sidecar.weights.convert import convert
from wilor_sidecar.weights.layout import BlocksDtype
from wilor_sidecar.weights.seeded import crops, write_seeded_checkpoint

_GOLDENS = Path(__file__).parent / "goldens"
_METRES = ("pred_keypoints_3d", "pred_vertices")
_ANGLES = ("global_orient", "hand_pose")

Arrays = Mapping[str, NDArray[np.floating]]


def assert_exact(outputs: Arrays, golden: Arrays) -> None:
    """Within 1e-6 m for points, 5e-6 for the rest, 1e-5 on a GPU and for axis-angles of rotations beyond 3 rad.

    The wide golden's camera is 60 times as sensitive as a real one.
    """
    other_bound = 1e-5 if device.on_gpu() else 5e-6
    for name, values in outputs.items():
        wanted = np.asarray(golden[name], np.float64)
        assert values.shape == wanted.shape, name
        assert values.dtype == np.float32, name
        difference = np.abs(values - wanted)
        bound = np.full(wanted.shape, 1e-6 if name in _METRES else other_bound)
        if name in _ANGLES:
            bound[np.linalg.norm(wanted, axis=-1) > 3] = 1e-5
        print(f"{name}: max {difference.max():.1e}, mean {difference.mean():.1e}")
        assert (difference <= bound).all(), f"{name}: off by {difference.max():.2e}"


def seeded_case(name: str, seeded_model: Callable[..., Wilor]) -> tuple[Wilor, NDArray[np.uint8], Arrays]:
    """The model, the crops and the numbers of a seeded golden."""
    golden = np.load(_GOLDENS / f"{name}.npz")
    seed, width, depth, heads = (int(golden[key]) for key in ("seed", "dim", "depth", "heads"))
    model = seeded_model(seed, width, depth, float(golden["cam_gain"]), heads)
    return model, crops(seed, len(golden["betas"])), golden


@pytest.mark.parametrize("name", ["golden_160x3", "golden_160x3_wide"])
def test_seeded_network_equals_upstream(name: str, seeded_model: Callable[..., Wilor]) -> None:
    """A small seeded network gives upstream's numbers, also where hands reach out of their crops."""
    model, pixels, golden = seeded_case(name, seeded_model)
    assert_exact(model(pixels), golden)


@pytest.mark.slow
def test_full_size_network_equals_upstream(seeded_model: Callable[..., Wilor]) -> None:
    """WiLoR's own size, 1280 x 32, gives upstream's numbers."""
    model, pixels, golden = seeded_case("golden_full", seeded_model)
    assert_exact(model(pixels), golden)


@pytest.mark.parametrize("batch", range(1, 9))
@pytest.mark.parametrize("name", ["golden_160x3", "golden_160x3_wide"])
def test_batch_gives_what_its_crops_give_alone(name: str, batch: int, seeded_model: Callable[..., Wilor]) -> None:
    """Every batch size gives each crop the numbers it gets in upstream's batch of four."""
    model, pixels, golden = seeded_case(name, seeded_model)
    chosen = np.arange(batch)[::-1] % len(pixels)
    assert_exact(model(pixels[chosen]), {key: golden[key][chosen] for key in model(pixels[:1])})


@pytest.mark.parametrize(("batch", "sizes"), [(1, [1]), (3, [2, 1]), (8, [2, 2, 2, 2])])
def test_the_largest_maps_are_made_for_two_crops_at_a_time(
    batch: int, sizes: list[int], seeded_model: Callable[..., Wilor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the batch: the maps of eight would take three times the memory."""
    model, pixels, _ = seeded_case("golden_160x3_wide", seeded_model)
    made: list[int] = []
    long_way = model._long_way

    def counting(tokens: mx.array) -> list[mx.array]:
        made.append(len(tokens))
        return long_way(tokens)

    # Not a part of it: a GPU has it compiled whole, and would call no stand-in.
    monkeypatch.setattr(model, "_long_way", counting)
    model(pixels[np.arange(batch) % len(pixels)])
    assert made == sizes


@pytest.mark.parametrize("name", ["golden_160x3", "golden_160x3_wide"])
def test_a_crop_that_overflows_spoils_no_other(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One crop's tokens are not numbers: it is told as NaN, and the others have upstream's numbers, near and wide."""
    golden = np.load(_GOLDENS / f"{name}.npz")
    whole = Backbone.all_but_last_block

    def overflowing(self: Backbone, crops_rgb: mx.array) -> mx.array:
        tokens = whole(self, crops_rgb)
        return mx.concatenate([mx.full(tokens[:1].shape, float("inf")), tokens[1:]])

    monkeypatch.setattr(Backbone, "all_but_last_block", overflowing)
    model = load_model(seeded_folder(golden, tmp_path, "float32"))  # a new one: on a GPU it is compiled once
    outputs = model(crops(int(golden["seed"]), len(golden["betas"])))
    assert_exact({key: values[1:] for key, values in outputs.items()}, {key: golden[key][1:] for key in outputs})
    assert all(np.isnan(values[0]).any() for values in outputs.values())


@pytest.mark.parametrize(
    ("source", "mano", "golden"),
    [
        ("tiny/wilor_final.ckpt", None, "tiny/golden.npz"),
        ("wide/wilor_final.ckpt", None, "wide/golden.npz"),
        ("tiny/wilor_final.ckpt", "tiny/MANO_RIGHT.pkl", "tiny/golden.npz"),
        ("seed-format/wilor-mlx.safetensors", "seed-format/mano.npz", "tiny/golden.npz"),
    ],
)
def test_published_files_give_upstreams_numbers(
    reference: Path, converted: Callable[..., Path], source: str, mano: str | None, golden: str
) -> None:
    """Every kind of file, through `convert`, gives upstream's numbers."""
    model = load_model(converted(reference / source, mano=reference / mano if mano else None))
    numbers = np.load(reference / golden)
    assert_exact(model(numbers["crops"]), numbers)


def test_int4_file_gives_the_dequantised_networks_numbers(reference: Path, converted: Callable[..., Path]) -> None:
    """wilor-mlx's int4 file gives what the exact network gives with its dequantised weights."""
    source, mano = reference / "seed-format/wilor-mlx-int4.safetensors", reference / "seed-format/mano.npz"
    outputs = load_model(converted(source, mano=mano))(np.load(reference / "tiny/golden.npz")["crops"])
    assert_exact(outputs, np.load(reference / "seed-format/golden_int4.npz"))


def test_crops_of_another_shape_are_refused(seeded_model: Callable[..., Wilor]) -> None:
    """A wrong shape, dtype or batch size is an error that says what came."""
    model, pixels, _ = seeded_case("golden_160x3", seeded_model)
    for wrong in (pixels[:, :255], pixels.astype(np.float32), pixels[:0], np.repeat(pixels, 3, axis=0), pixels[0]):
        with pytest.raises(ValueError, match="crops_rgb: expected uint8"):
            model(wrong)  # type: ignore[arg-type]


@pytest.mark.usefixtures("gpu_forms")
@pytest.mark.parametrize("name", ["golden_160x3", "golden_160x3_wide"])
def test_gpu_forms_equal_upstream(name: str, tmp_path: Path) -> None:
    """The forms for a GPU give upstream's numbers too, on both ways through RefineNet."""
    golden = np.load(_GOLDENS / f"{name}.npz")
    model = load_model(seeded_folder(golden, tmp_path, "float32"))
    model.warm_up(len(golden["betas"]))
    assert_exact(model(crops(int(golden["seed"]), len(golden["betas"]))), golden)


@pytest.mark.usefixtures("gpu_forms")
def test_half_precision_is_near_upstream(tmp_path: Path) -> None:
    """With blocks in float16 the worst vertex is within a millimetre."""
    golden = np.load(_GOLDENS / "golden_160x3.npz")
    model = load_model(seeded_folder(golden, tmp_path, "float16"))
    outputs = model(crops(int(golden["seed"]), len(golden["betas"])))
    apart_m = np.abs(outputs["pred_vertices"] - golden["pred_vertices"]).max()
    print(f"worst vertex {apart_m * 1e3:.3f} mm")
    assert 1e-6 < apart_m < 1e-3


def seeded_folder(golden: Arrays, folder: Path, dtype: BlocksDtype) -> Path:
    """The golden's checkpoint, converted."""
    seed, width, depth, heads = (int(golden[key]) for key in ("seed", "dim", "depth", "heads"))
    write_seeded_checkpoint(
        folder / "seeded.safetensors", seed=seed, width=width, depth=depth, cam_gain=float(golden["cam_gain"])
    )
    return convert(folder / "seeded.safetensors", folder / "model", heads=heads, dtype=dtype)
