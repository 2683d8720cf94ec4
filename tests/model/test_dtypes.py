"""Blocks held in half precision or packed: right arithmetic, bounded error, and no more memory than they take."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from tests.model.test_parity import assert_exact
from wilor_sidecar import device
from wilor_sidecar.model import load_model
from wilor_sidecar.weights.convert import convert
from wilor_sidecar.weights.element_types import Array
from wilor_sidecar.weights.layout import BITS, BlocksDtype
from wilor_sidecar.weights.quantisation import quantise
from wilor_sidecar.weights.seeded import checkpoint, crops, write_seeded_checkpoint

SEED, WIDTH, DEPTH = 11, 160, 2
QUANTISED: tuple[BlocksDtype, ...] = ("int8", "int4")

_MEASURE_LOADING = """
import json, sys
from wilor_sidecar.mlx import mx
from wilor_sidecar.model import load_model
model = load_model(sys.argv[1])
mx.clear_cache()
print(json.dumps([mx.get_peak_memory(), mx.get_active_memory()]))
"""


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint8]:
    """(2, 256, 256, 3) crops."""
    return crops(SEED, 2)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A seeded checkpoint."""
    path = tmp_path_factory.mktemp("dtypes") / "seeded.safetensors"
    write_seeded_checkpoint(path, seed=SEED, width=WIDTH, depth=DEPTH)
    return path


def as_held(tensors: dict[str, Array], bits: int) -> dict[str, Array]:
    """What a quantised folder holds, in float32 again."""
    held = {}
    for name, array in tensors.items():
        if not name.startswith("backbone.blocks."):
            held[name] = array
        elif array.ndim == 2:
            held[name] = quantise(array, bits).unpacked()
        else:
            held[name] = array.astype(np.float16).astype(np.float32)
    return held


@pytest.mark.parametrize("forms", ["cpu", "gpu"])
@pytest.mark.parametrize("dtype", QUANTISED)
def test_a_packed_network_computes_with_its_unpacked_weights(
    dtype: BlocksDtype,
    forms: str,
    source: Path,
    pixels: NDArray[np.uint8],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """It gives what the float32 network with the same rounded weights gives: within float32's own error on a CPU; a GPU
    computes the rest in float16, and is less than half a millimetre off.
    """
    save_file(as_held(checkpoint(SEED, WIDTH, DEPTH), BITS[dtype]), tmp_path / "held.safetensors")
    expected = load_model(convert(tmp_path / "held.safetensors", tmp_path / "held"))(pixels)
    if forms == "gpu":
        request.getfixturevalue("gpu_forms")
    packed = load_model(convert(source, tmp_path / "packed", dtype=dtype))
    assert packed.config.dtype == dtype
    outputs = packed(pixels)
    if device.on_gpu():
        assert np.abs(outputs["pred_vertices"] - expected["pred_vertices"]).max() < 5e-4
    else:
        assert_exact(outputs, expected)


def worst_vertex_mm(folder: Path, exact: Array, pixels: NDArray[np.uint8]) -> float:
    """How far the worst vertex is from where the exact network has it."""
    worst = float(np.abs(load_model(folder)(pixels)["pred_vertices"] - exact).max()) * 1e3
    print(f"{folder.name}: worst vertex {worst:.3f} mm")
    return worst


@pytest.mark.parametrize("forms", ["cpu", "gpu"])
def test_fewer_bits_cost_exactness(
    forms: str, source: Path, pixels: NDArray[np.uint8], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """float16, int8 and int4 are each off by more than the one before, and within their bounds, on either device."""
    exact = load_model(convert(source, tmp_path / "float32"))(pixels)["pred_vertices"]
    if forms == "gpu":
        request.getfixturevalue("gpu_forms")
    half, eight, four = (
        worst_vertex_mm(convert(source, tmp_path / dtype, dtype=dtype), exact, pixels)
        for dtype in ("float16", "int8", "int4")
    )
    assert 1e-4 < half < eight < four
    assert (half < 0.5, eight < 1.5, four < 20) == (True, True, True)


def test_wilor_mlxs_int4_file_stays_packed(reference: Path, tmp_path: Path) -> None:
    """Served from its own packed words it gives the dequantised network's numbers, but for float16 norms and scales."""
    files = reference / "seed-format"
    folder = convert(files / "wilor-mlx-int4.safetensors", tmp_path / "int4", mano=files / "mano.npz", dtype="int4")
    outputs = load_model(folder)(np.load(reference / "tiny/golden.npz")["crops"])
    golden = np.load(files / "golden_int4.npz")
    assert np.abs(outputs["pred_vertices"] - golden["pred_vertices"]).max() < 5e-4


@pytest.mark.parametrize("dtype", ["float32", "float16", *QUANTISED])
def test_loading_takes_little_more_than_the_weights(dtype: BlocksDtype, tmp_path: Path) -> None:
    """While a model is read and put in shape, MLX never holds more than 1.15 times what it holds in the end."""
    source = tmp_path / "seeded.safetensors"
    write_seeded_checkpoint(source, seed=SEED, width=256, depth=32)
    folder = convert(source, tmp_path / "model", dtype=dtype)
    measured = subprocess.run(
        [sys.executable, "-c", _MEASURE_LOADING, str(folder)], capture_output=True, text=True, check=True
    )
    peak, held = json.loads(measured.stdout)
    print(f"{dtype}: peak {peak / held:.3f} of {held / 1e6:.0f} MB")
    assert peak <= 1.15 * held
